"""
Envelopes: many usage events as one record.

An envelope (``UsageEnvelope``) is an Avro array, and its items are written as in a record of one event.
Packing is therefore putting encoded events together, and ``schemas.columnar.usage_decoder`` reads one after
the other.

Source: https://avro.apache.org/docs/1.12.0/specification/#arrays-1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from schemas.codec.errors import EnvelopeTooLargeError, UnknownSchemaError
from schemas.codec.record_codec import Codec
from schemas.codec.registry import Registry, committed, subject_of
from schemas.codec.varint import varint
from schemas.records import UsageEnvelope, UsageEvent

__all__ = ["ENVELOPE_SUBJECT", "MAX_EVENTS", "Envelopes"]

_TOPIC = "usage.events"
_PREFIX = 5
_MAX_BYTES = 900_000

ENVELOPE_SUBJECT = subject_of(_TOPIC, UsageEnvelope)
"""Where the registry holds the envelope's schema: a second record type of ``usage.events``."""

MAX_EVENTS = 10_000
"""Most events an envelope may hold."""


class Envelopes:
    """Pack encoded usage events, and read records of ``usage.events`` of either form."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry or committed()
        self._event: Codec[Any] = Codec(_TOPIC, self._registry)
        self._envelope: Codec[Any] = Codec(_TOPIC, self._registry, UsageEnvelope)
        self._event_prefix = self._registry.prefix(f"{_TOPIC}-value")
        self._envelope_prefix = self._registry.prefix(ENVELOPE_SUBJECT)

    def pack(self, values: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """
        Yield records that hold these events, encoded one by one, in order, and how many each holds.

        All must belong to one partition. A record stays under 10,000 events and 900,000 bytes, less than
        producers and brokers take by default; an event that is alone stays as it is. Raises ValueError
        for what was not encoded with the newest schema of ``usage.events``.
        """
        some: list[bytes] = []
        size = 0
        for value in values:
            if not value.startswith(self._event_prefix):
                raise ValueError("an envelope takes usage events in the newest schema's wire format")
            if some and (len(some) == MAX_EVENTS or size + len(value) > _MAX_BYTES):
                yield self._sealed(some), len(some)
                some, size = [], 0
            some.append(value)
            size += len(value)
        if some:
            yield self._sealed(some), len(some)

    def _sealed(self, values: list[bytes]) -> bytes:
        if len(values) == 1:
            return values[0]
        items = (value[_PREFIX:] for value in values)
        return b"".join((self._envelope_prefix, varint(len(values)), *items, b"\0"))

    def unpack(self, value: bytes | None) -> list[dict[str, Any]]:
        """
        Return the decoded fields of the events in a record; a record of one event holds one.

        Raises as ``Codec.decode`` does, and EnvelopeTooLargeError.
        """
        if not self.holds(value):
            return [self._event.decode_fields(value)]
        events: list[dict[str, Any]] = self._envelope.decode_fields(value)["events"]
        if len(events) > MAX_EVENTS:
            raise EnvelopeTooLargeError(f"{len(events)} events; an envelope holds at most {MAX_EVENTS}")
        return events

    def holds(self, value: bytes | None) -> bool:
        """Tell whether a record says that it is an envelope."""
        if value is None or len(value) < _PREFIX or value[0]:
            return False
        if value.startswith((self._event_prefix, self._envelope_prefix)):
            return value.startswith(self._envelope_prefix)
        try:
            writer = self._registry.writer(int.from_bytes(value[1:_PREFIX], "big"))
        except UnknownSchemaError:
            return False
        return bool(writer["name"] == self._registry.readers[ENVELOPE_SUBJECT]["name"])

    def single(self, fields: Mapping[str, Any]) -> bytes:
        """Return an unpacked event as a record of its own."""
        return self._event.encode(msgspec.convert(fields, UsageEvent))
