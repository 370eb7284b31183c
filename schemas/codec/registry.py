"""
Registry of schemas by id and by subject.

The committed file ``avro/registry.json`` serves a deployment without a registry server. It fixes the id,
version and content (by SHA-256) of each schema, so that an id never changes its meaning. A deployment with a
Confluent-compatible registry passes that one's ids in (``with_ids``).
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
    """One version of a schema in ``registry.json``."""

    id: int
    subject: str
    version: int
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Registry:
    """
    The schema of each id, and the newest id and schema of each subject.

    ``writers`` maps an id to the schema that its bytes were written with. ``ids`` and ``readers`` map a
    subject (``<topic>-value``, topic without prefix, or ``subject_of``) to its newest id and schema.
    ``lookup`` is called for an id that is not in ``writers``, and returns its schema or ``None``.
    """

    ids: Mapping[str, int]
    readers: Mapping[str, Schema]
    writers: dict[int, Schema]
    lookup: Callable[[int], Schema | None] = field(default=lambda _: None)

    def writer(self, schema_id: int) -> Schema:
        """Return the schema that bytes with this id were written with; raise UnknownSchemaError for none."""
        schema = self.writers.get(schema_id)
        if schema is None:
            looked_up = self.lookup(schema_id)
            if looked_up is None:
                raise UnknownSchemaError(f"schema id {schema_id} is not in the registry")
            schema = cast("Schema", parse_schema(looked_up))
            self.writers[schema_id] = schema
        return schema

    def prefix(self, subject: str) -> bytes:
        """Return the bytes before the Avro of a subject's newest schema: zero and the id."""
        return b"\0" + self.ids[subject].to_bytes(4, "big")

    def with_ids(self, ids: Mapping[str, int], lookup: Callable[[int], Schema | None]) -> Registry:
        """Return the same schemas with the ids of another registry, and its ``lookup``."""
        writers = {ids[subject]: schema for subject, schema in self.readers.items()}
        return replace(self, ids=dict(ids), writers=writers, lookup=lookup)


def subject_of(topic: str, record: type) -> str:
    """
    Return the subject of a further record type of a topic, named by Confluent's TopicRecordNameStrategy.

    Source:
    https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
    """
    return f"{topic}-bellbuoy.{record.__name__}"


@cache
def entries() -> tuple[Entry, ...]:
    """Return the versions of ``registry.json`` by subject, the oldest first."""
    raw = (resources.files("schemas") / "avro" / "registry.json").read_bytes()
    return tuple(sorted(msgspec.json.decode(raw, type=list[Entry]), key=lambda e: (e.subject, e.version)))


@cache
def committed() -> Registry:
    """
    Return the registry in ``avro/registry.json``, with every schema checked against its SHA-256.

    Raises ValueError for a changed file: a released schema is never edited; a change is a new version.
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
