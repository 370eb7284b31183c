"""
Packer and reader of envelopes, which hold many usage events as one record.

An envelope (``UsageEnvelope``) is an Avro array whose items have the bytes that they have in a record of one
event. So it is packed by joining encoded events, and ``schemas.columnar.usage_decoder`` reads them one after
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
"""Size up to which events are packed into one envelope."""

ENVELOPE_SUBJECT = subject_of(_TOPIC, UsageEnvelope)
"""The registry's subject for the envelope, the second record type of ``usage.events``."""

MAX_EVENTS = 10_000
"""Events of an envelope; one with more is a dead letter, `invalid`."""


class Envelopes:
    """Packs encoded usage events, and reads records of ``usage.events`` that hold one event or many."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry or committed()
        self._event: Codec[Any] = Codec(_TOPIC, self._registry)
        self._envelope: Codec[Any] = Codec(_TOPIC, self._registry, UsageEnvelope)
        self._event_prefix = self._registry.prefix(f"{_TOPIC}-value")
        self._envelope_prefix = self._registry.prefix(ENVELOPE_SUBJECT)

    def pack(self, values: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """
        Yield records that hold these encoded events in order, each with the number of its events.

        All must belong to one partition. A record holds at most 10,000 events and 900,000 bytes, fewer than
        producers and brokers accept by default; a single event is not wrapped. Raises ValueError for a value
        that isn't encoded with the newest schema of ``usage.events``.
        """
        packed: list[bytes] = []
        size = 0
        for value in values:
            if not value.startswith(self._event_prefix):
                raise ValueError("an envelope takes usage events in the newest schema's wire format")
            if packed and (len(packed) == MAX_EVENTS or size + len(value) > _MAX_BYTES):
                yield self._sealed(packed), len(packed)
                packed, size = [], 0
            packed.append(value)
            size += len(value)
        if packed:
            yield self._sealed(packed), len(packed)

    def _sealed(self, values: list[bytes]) -> bytes:
        if len(values) == 1:
            return values[0]
        items = (value[_PREFIX:] for value in values)
        return b"".join((self._envelope_prefix, varint(len(values)), *items, b"\0"))

    def unpack(self, value: bytes | None) -> list[dict[str, Any]]:
        """
        Return the decoded fields of each event in a record, be it an envelope or a single event.

        Raises as ``Codec.decode`` does, and EnvelopeTooLargeError.
        """
        if not self.holds(value):
            return [self._event.decode_fields(value)]
        events: list[dict[str, Any]] = self._envelope.decode_fields(value)["events"]
        if len(events) > MAX_EVENTS:
            raise EnvelopeTooLargeError(f"{len(events)} events; an envelope holds at most {MAX_EVENTS}")
        return events

    def holds(self, value: bytes | None) -> bool:
        """Tell whether a record carries the schema id of an envelope."""
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
        """Return the fields of an unpacked event, encoded as a record of its own."""
        return self._event.encode(msgspec.convert(fields, UsageEvent))
