"""
Codec between records and Confluent's wire format: a zero byte, the schema id in four big-endian bytes, Avro.

Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any, Generic, TypeVar

import msgspec
from fastavro import schemaless_reader, schemaless_writer

from schemas import records as r
from schemas.codec.errors import SchemaError, UndecodableError
from schemas.codec.registry import Registry, committed, subject_of
from schemas.codec.repeating_items import RepeatingItems
from schemas.inputs import INPUTS

__all__ = ["RECORDS", "Codec", "codec"]

RECORDS: dict[str, type[msgspec.Struct]] = {
    **{each.topic: each.record for each in INPUTS},
    "account.journal": r.JournalBatch,
    "account.health": r.AccountHealth,
    "account.kpis": r.AccountKpis,
    "risk.alerts": r.RiskAlert,
    "alert.notifications": r.AlertNotification,
    "events.deadletter": r.DeadLetter,
    "raw.payloads": r.RawPayload,
    "simulation.clock": r.ClockTick,
}
"""The record type of each topic (name without prefix); a topic may carry a further type."""

# msgspec prepares a type when it is first decoded, and two threads that do so at once crash the process
# (msgspec 0.22). A decoder prepares it here, while no other thread uses it.
for _type in RECORDS.values():
    msgspec.json.Decoder(_type)

_CACHED = {"account.health": {"score": True, "as_of": False}}
"""Topics whose records repeat much of those before, and their runs of fields (``repeating_fields``)."""

T = TypeVar("T", bound=msgspec.Struct)
_HEADER = 5


class Codec(Generic[T]):
    """Encodes and decodes the records of one topic; *record* names a further type that it carries."""

    def __init__(self, topic: str, registry: Registry, record: type[T] | None = None) -> None:
        self.topic = topic
        self._registry = registry
        self._type = record or RECORDS[topic]
        subject = f"{topic}-value" if record is None else subject_of(topic, record)
        self._reader = registry.readers[subject]
        self._prefix = registry.prefix(subject)
        starts = _CACHED.get(topic)
        self._repeating = None if starts is None else RepeatingItems(self._reader, self._type, starts)

    def encode(self, record: T) -> bytes:
        """Return the record's bytes; raise SchemaError where a value doesn't fit its field."""
        try:
            if self._repeating is not None:
                return self._prefix + self._repeating.write(record)
            out = BytesIO()
            out.write(self._prefix)
            schemaless_writer(out, self._reader, msgspec.to_builtins(record, builtin_types=(bytes,)))
            return out.getvalue()
        except (TypeError, ValueError, OverflowError, KeyError) as error:
            raise SchemaError(f"{self.topic}: {error}") from error

    def decode(self, data: bytes | None) -> T:
        """
        Return the record in these bytes, read with the newest schema of the topic.

        Raises UnknownSchemaError for an id that the registry doesn't know, and UndecodableError for all that
        isn't one whole record of the topic: no zero byte, the id of another subject, bytes left over.
        """
        if self._repeating is not None and data is not None and data.startswith(self._prefix):
            with suppress(Exception):  # otherwise written, or broken: the reference codec decides
                return self._repeating.read(data, _HEADER)  # type: ignore[return-value]
        fields = self.decode_fields(data)
        try:
            return msgspec.convert(fields, self._type)  # type: ignore[return-value]
        except msgspec.ValidationError as error:  # pragma: no cover - the schema allows none
            raise UndecodableError(str(error)) from error

    def decode_fields(self, data: bytes | None) -> dict[str, Any]:
        """Return the record's fields; raise as ``decode`` does."""
        if data is None or len(data) < _HEADER or data[0] != 0:
            raise UndecodableError("not Confluent wire format: the first byte must be 0, then a schema id")
        writer = self._registry.writer(int.from_bytes(data[1:_HEADER], "big"))
        if writer["name"] != self._reader["name"]:
            raise UndecodableError(
                f"a {writer['name']} on {self.topic}, which carries {self._reader['name']}"
            )
        stream = BytesIO(data)
        stream.seek(_HEADER)
        try:
            fields: dict[str, Any] = schemaless_reader(stream, writer, self._reader)  # type: ignore[assignment]
        except EOFError as error:
            raise UndecodableError("the bytes end before the record does") from error
        except Exception as error:  # fastavro raises many types for broken bytes
            raise UndecodableError(f"{type(error).__name__}: {error}") from error
        if stream.tell() != len(data):
            raise UndecodableError(f"{len(data) - stream.tell()} bytes left over after the record")
        return fields


def codec(topic: str, registry: Registry | None = None) -> Codec[Any]:
    """Return the codec of a topic (name without prefix), by default with the ids of ``committed``."""
    return Codec(topic, registry or committed())
