"""Batches of outputs: what a poll of the topics returned, decoded, with the offsets that it reaches to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message

from schemas.codec.errors import SchemaError, UnknownSchemaError
from schemas.codec.record_codec import Codec
from schemas.identity.erasures import NOBODY, Erasures
from sinks.port import Output
from streams.delivery.erased import without_erased
from streams.kafka.errors import END_OF_PARTITION
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.record import KafkaRecord, kafka_record

__all__ = ["OutputBatch", "SendDeadLetter", "read_batch"]

SendDeadLetter = Callable[[KafkaRecord, str, str], None]
"""Sends a record to the dead-letter topic, with the reason and the detail in words."""


@dataclass(slots=True)
class OutputBatch:
    """
    Outputs to be written together, and the records that they were decoded from, in the same order.

    ``reached`` is the position to read from next in every partition in it, also where nothing was left to
    write; it has no topic id, and no epoch where the end of a partition was read.
    """

    outputs: list[Output] = field(default_factory=list)
    sources: list[KafkaRecord] = field(default_factory=list)
    reached: dict[Part, LogPosition] = field(default_factory=dict)

    def remove(self, index: int) -> KafkaRecord:
        """Take one output out of the batch and return the record that it was decoded from."""
        del self.outputs[index]
        return self.sources.pop(index)


def read_batch(
    messages: Iterable[Message],
    codecs: Mapping[str, Codec[Any]],
    dead_letter: SendDeadLetter,
    refused: Callable[[KafkaError], None],
    erasures: Erasures = NOBODY,
) -> OutputBatch:
    """
    Return what these messages hold; a record that can't be decoded is sent to the dead-letter topic.

    ``codecs`` are by topic as on the broker; ``refused`` takes an error in place of a record. What was
    published of an account before it was erased is left out, and names of the people who were.
    """
    batch = OutputBatch()
    for message in messages:
        error = message.error()
        if error is None:
            source = kafka_record(message)
            epoch = message.leader_epoch()
            batch.reached[source.topic, source.partition] = LogPosition(
                source.offset + 1, epoch=-1 if epoch is None else epoch
            )
            if source.value is None:  # lets Kafka remove a key whose deletion was delivered long before
                continue
            try:
                output = codecs[source.topic].decode(source.value)
            except SchemaError as fault:
                reason = "unknown_schema" if isinstance(fault, UnknownSchemaError) else "undecodable"
                dead_letter(source, reason, str(fault))
            else:
                if (kept := without_erased(output, erasures)) is not None:
                    batch.outputs.append(kept)
                    batch.sources.append(source)
        elif error.code() == END_OF_PARTITION:
            end = kafka_record(message)
            before = batch.reached.get((end.topic, end.partition))
            if before is None or before.offset != end.offset:
                batch.reached[end.topic, end.partition] = LogPosition(end.offset)
        else:
            refused(error)
    return batch
