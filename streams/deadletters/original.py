"""Reader of the original record of a dead letter that holds only the beginning of it."""

from __future__ import annotations

import hashlib

from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.records import DeadLetter
from schemas.topics import Topics
from streams.kafka.headers import INDEX_HEADER
from streams.kafka.log_reader import record_at

__all__ = ["original_value"]


def original_value(
    connection: Connection, topics: Topics, registry: Registry, letter: DeadLetter
) -> bytes | None:
    """
    Return the whole value of a dead letter's record, read where it was read first.

    ``None``: no record is there any more that has the dead letter's hash. Raises KafkaException.
    """
    topic = topics.name(topics.plain(letter.topic))
    record = record_at(connection, topic, letter.partition, letter.offset)
    value = None if record is None else record.value
    index = letter.headers.get(INDEX_HEADER)
    if value is not None and index is not None:
        envelopes = Envelopes(registry)
        try:
            value = envelopes.single(envelopes.unpack(value)[int(index)])
        except (SchemaError, IndexError):
            return None
    if value is None or hashlib.sha256(value).hexdigest() != letter.value_sha256:
        return None
    return value
