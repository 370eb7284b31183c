"""Writer of journal batches whose usage cells are encoded already."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec
from fastavro import parse_schema, schemaless_writer

from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.records import JournalBatch, UsageCell

__all__ = ["JournalWriter"]

_TOPIC = "account.journal"


class JournalWriter:
    """Writes records of ``account.journal``; raises ValueError where the schema has other usage cells."""

    def __init__(self, registry: Registry) -> None:
        self._codec = codec(_TOPIC, registry)
        self._prefix = registry.prefix(f"{_TOPIC}-value")
        schema = registry.readers[f"{_TOPIC}-value"]
        names = [field["name"] for field in schema["fields"]]
        before = schema["fields"][: names.index("usage")]
        cell = schema["fields"][names.index("usage")]["type"]["items"]
        if [field["name"] for field in cell["fields"]] != list(UsageCell.__struct_fields__):
            raise ValueError("the newest schema of account.journal has other cells")
        self._head: Any = parse_schema({"type": "record", "name": "Head", "fields": before})

    def write(self, batch: JournalBatch, usage: bytes) -> bytes:
        """
        Return the bytes of a batch with its usage, which is an encoded array of cells.

        ``schemas.columnar.cell_encoder`` encodes it; the batch itself must hold none. Raises SchemaError
        where a value doesn't fit its field.
        """
        whole = self._codec.encode(batch)
        head = BytesIO()
        schemaless_writer(head, self._head, msgspec.to_builtins(batch, builtin_types=(bytes,)))
        at = len(self._prefix) + head.tell()
        empty = 1  # the zero byte of an array without items, which the encoded one replaces
        return b"".join((whole[:at], usage, whole[at + empty :]))
