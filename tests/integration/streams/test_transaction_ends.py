"""A transaction whose end Kafka left out in a partition loses and doubles no event, and holds nobody up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.operations.kafka.ledger import read_positions
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.records import JournalBatch, SourceRange
from schemas.topics import Topics
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_reader import last_record, read_to_end
from tests.support.input_producer import InputProducer, usage
from tests.support.role_processes import RoleProcesses
from tests.support.unended_transactions import leave_unended
from tests.support.waiting import until

pytestmark = pytest.mark.services

KEY = account_key("acme", "a")


def applied(bootstrap: Connection, topics: Topics, events: int) -> None:
    def position() -> int:
        return sum(each.applied for each in read_positions(bootstrap, topics).values())

    until(lambda: position() == events, what=f"{events} events in the states")


def batches(bootstrap: Connection, topics: Topics, partition: int) -> list[JournalBatch]:
    decode, start = (
        codec("account.journal").decode,
        TopicPartition(topics.name("account.journal"), partition, 0),
    )
    return [decode(record.value) for record in read_to_end(bootstrap, [start])]


def test_a_journal_batch_without_its_end_is_not_written_twice(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    """The batch that nobody could read is written anew; it never comes after the new owner's batches."""
    partition = partition_of(KEY, topics.partitions)
    journal_topic = topics.name("account.journal")
    journal_codec = codec("account.journal")
    roles, producer = RoleProcesses(bootstrap, topics, tmp_path), InputProducer(bootstrap, topics)
    now = time.time_ns() // 1_000_000
    try:
        journal = roles.start("journal")
        roles.start("worker")
        producer.send("usage.events", [usage(n, "a", now) for n in range(10)])
        applied(bootstrap, topics, 10)
        journal.stop()
        producer.send("usage.events", [usage(n, "a", now) for n in range(10, 20)])
        last = journal_codec.decode(last_record(bootstrap, journal_topic, partition).value)
        [cell, *_] = (cell for batch in batches(bootstrap, topics, partition) for cell in batch.usage)
        ranges = [
            SourceRange(topic=s.topic, first=s.next, next=s.next + 4 if s.topic == "usage.events" else s.next)
            for s in last.offsets
        ]
        written = replace(last, sequence=last.sequence + 1, offsets=ranges, usage=[replace(cell, events=4)])
        leave_unended(
            bootstrap,
            f"{topics.prefix}bellbuoy-journal-{partition}",
            journal_topic,
            partition,
            None,
            journal_codec.encode(written),
        )
        assert (journal_topic, partition) in LogInspector(bootstrap).open_transactions(
            [(journal_topic, partition)]
        )

        roles.start("journal")
        applied(bootstrap, topics, 20)
        producer.send("usage.events", [usage(n, "a", now) for n in range(20, 30)])
        applied(bootstrap, topics, 30)

        sequences = [batch.sequence for batch in batches(bootstrap, topics, partition)]
        assert sequences == list(range(len(sequences)))
    finally:
        roles.stop()


def usage_cell(bootstrap: Connection, topics: Topics, partition: int):
    for record in read_to_end(bootstrap, [TopicPartition(topics.name("account.journal"), partition, 0)]):
        batch: JournalBatch = codec("account.journal").decode(record.value)
        if batch.usage:
            return batch.usage[0]
    raise AssertionError("no usage in the journal")


@pytest.mark.parametrize("topic", ["risk.alerts", "bellbuoy-accounts-changelog", "account.transfers"])
def test_what_a_worker_left_without_its_end_holds_nobody_up(
    bootstrap: Connection, topics: Topics, tmp_path: Path, topic: str
) -> None:
    """Readers go on past it, and the states are those of every event, each once."""
    partition = partition_of(KEY, topics.partitions)
    name = topics.changelog if "changelog" in topic else topics.name(topic)
    roles, producer = RoleProcesses(bootstrap, topics, tmp_path), InputProducer(bootstrap, topics)
    now = time.time_ns() // 1_000_000
    try:
        roles.start("journal")
        worker = roles.start("worker")
        producer.send("usage.events", [usage(n, "a", now) for n in range(10)])
        applied(bootstrap, topics, 10)
        worker.stop()
        leave_unended(
            bootstrap, f"{topics.app_id}-accounts-{partition}", name, partition, b"acme:other", b"broken"
        )
        inspector = LogInspector(bootstrap)
        assert inspector.open_transactions([(name, partition)])

        roles.start("worker")
        until(lambda: not inspector.open_transactions([(name, partition)]), what="the end of the transaction")
        producer.send("usage.events", [usage(n, "a", now) for n in range(10, 20)])
        applied(bootstrap, topics, 20)
        visible = [r.value for r in read_to_end(bootstrap, [TopicPartition(name, partition, 0)])]
        assert (b"broken" in visible) == ("changelog" not in topic)
    finally:
        roles.stop()
