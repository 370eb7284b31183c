"""
Schemas and their ids.

The committed ``avro/registry.json`` is the registry of a deployment without a registry server: it
fixes each schema's id, version and content (by SHA-256), so an id never changes its meaning. A
deployment with a Confluent-compatible registry passes its own ids in (``with_ids``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, cast

import msgspec
from fastavro import parse_schema

from schemas.codec.errors import UnknownSchemaError

__all__ = ["Entry", "Registry", "committed", "subject_of"]

Schema = dict[str, Any]


class Entry(msgspec.Struct, frozen=True):
    """One line of ``registry.json``."""

    id: int
    subject: str
    version: int
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Registry:
    """
    Ids and schemas, both ways.

    ``writers`` maps an id to the schema its bytes were written with; ``ids`` and ``readers`` map a
    subject (``<topic>-value``, topic without prefix, or ``subject_of``) to its newest id and schema.
    ``lookup`` is asked for an id that is not in ``writers`` and returns its schema or ``None``.
    """

    ids: Mapping[str, int]
    readers: Mapping[str, Schema]
    writers: dict[int, Schema]
    lookup: Callable[[int], Schema | None] = field(default=lambda _: None)

    def writer(self, schema_id: int) -> Schema:
        """Return the schema that bytes with this id were written with; raise UnknownSchemaError."""
        schema = self.writers.get(schema_id)
        if schema is None:
            found = self.lookup(schema_id)
            if found is None:
                raise UnknownSchemaError(f"schema id {schema_id} is not in the registry")
            schema = cast("Schema", parse_schema(found))
            self.writers[schema_id] = schema
        return schema

    def prefix(self, subject: str) -> bytes:
        """Return what stands before the Avro bytes of a subject's newest schema: zero and its id."""
        return b"\0" + self.ids[subject].to_bytes(4, "big")

    def with_ids(self, ids: Mapping[str, int], lookup: Callable[[int], Schema | None]) -> Registry:
        """Return the same schemas under the ids of another registry, which answers ``lookup``."""
        writers = {ids[subject]: schema for subject, schema in self.readers.items()}
        return replace(self, ids=dict(ids), writers=writers, lookup=lookup)


def subject_of(topic: str, record: type) -> str:
    """
    Return the subject of a topic's further record type.

    As Confluent's TopicRecordNameStrategy names it:
    https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
    """
    return f"{topic}-bellbuoy.{record.__name__}"


@cache
def entries() -> tuple[Entry, ...]:
    """Return the committed registry, oldest version first."""
    raw = (resources.files("schemas") / "avro" / "registry.json").read_bytes()
    return tuple(sorted(msgspec.json.decode(raw, type=list[Entry]), key=lambda e: (e.subject, e.version)))


@cache
def committed() -> Registry:
    """
    Return the committed registry; every file is checked against its SHA-256.

    Raises ValueError for a changed file: a released schema is never edited, a new version is added.
    """
    ids: dict[str, int] = {}
    readers: dict[str, Schema] = {}
    writers: dict[int, Schema] = {}
    for entry in entries():
        raw = (resources.files("schemas") / "avro" / entry.file).read_bytes()
        if hashlib.sha256(raw).hexdigest() != entry.sha256:
            raise ValueError(
                f"schemas/avro/{entry.file} differs from registry.json: add a version, don't edit one"
            )
        schema = cast("Schema", parse_schema(msgspec.json.decode(raw)))
        ids[entry.subject], readers[entry.subject], writers[entry.id] = entry.id, schema, schema
    return Registry(ids, readers, writers)
