"""A producer that another has taken over from says so, whenever it finds out."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are re-exported
    AdminClient,
    NewPartitions,
)

from schemas.connection import Connection
from schemas.topics import Topics
from streams.kafka.errors import FencedError
from streams.kafka.log_reader import watermarks
from streams.kafka.transactional_producer import TransactionalProducer
from tests.support.changelog import read_topic
from tests.support.waiting import until

pytestmark = pytest.mark.services


def test_fenced_while_records_are_added(bootstrap: Connection, topics: Topics) -> None:
    """The client hears it in the background; from then on each call says only 'fatal error'."""
    name, transactional_id = topics.name("events.deadletter"), f"{topics.prefix}one"
    first = TransactionalProducer(bootstrap, transactional_id)
    first.begin()
    second = TransactionalProducer(bootstrap, transactional_id)
    first.produce(name, b"lost", None, 0)

    def add() -> FencedError | None:
        try:
            first.produce(name, b"lost", None, 0)
        except FencedError as fenced:
            return fenced
        return None

    fenced = until(add, 120, "the fencing")
    assert fenced.__cause__.args[0].code() == KafkaError._FATAL
    with pytest.raises(FencedError):
        first.commit()
    with pytest.raises(FencedError):
        first.begin()
    second.begin()
    second.produce(name, b"kept", None, 0)
    second.commit()
    assert [m.value() for m in read_topic(bootstrap, name)] == [b"kept"]


def test_fenced_before_the_commit(bootstrap: Connection, topics: Topics) -> None:
    name, transactional_id = topics.name("events.deadletter"), f"{topics.prefix}one"
    first = TransactionalProducer(bootstrap, transactional_id)
    first.begin()
    first.produce(name, b"lost", None, 0)
    first._producer.flush(10)
    second = TransactionalProducer(bootstrap, transactional_id)
    with pytest.raises(FencedError):
        first.commit()
    second.begin()
    second.commit()
    assert read_topic(bootstrap, name) == []


def test_a_partition_that_was_unknown_is_found_once_it_is_there(
    bootstrap: Connection, topics: Topics
) -> None:
    """As while a broker that was paused comes back: librdkafka alone believes for minutes what it heard."""
    name = topics.name("support.events")
    partition = TopicPartition(name, topics.partitions)
    reader = Consumer({**bootstrap.librdkafka(), "group.id": "reader"})
    admin = AdminClient(bootstrap.librdkafka())
    with pytest.raises(KafkaException) as raised:
        reader.get_watermark_offsets(partition, timeout=10)
    assert raised.value.args[0].code() == KafkaError._UNKNOWN_PARTITION
    for grown in admin.create_partitions([NewPartitions(name, topics.partitions + 1)]).values():
        grown.result(10)
    assert watermarks(reader, partition) == (0, 0)
    reader.close()
