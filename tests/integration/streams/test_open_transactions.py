"""A transaction that a producer of others leaves open is told: nothing after it can be read."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bellbuoy.operations.kafka import open_transactions as checks
from bellbuoy.operations.kafka.ledger import read_positions
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.topics import Topics
from tests.support.input_producer import InputProducer, usage
from tests.support.role_processes import RoleProcesses
from tests.support.waiting import until

pytestmark = pytest.mark.services

SOON = "from streams.journal import open_transactions\nopen_transactions._MOST_SECONDS = 3.0"


def test_an_input_that_is_held_back(
    bootstrap: Connection, topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_MOST_SECONDS", 3.0)
    roles, producer = RoleProcesses(bootstrap, topics, tmp_path), InputProducer(bootstrap, topics)
    now, name = time.time_ns() // 1_000_000, topics.name("usage.events")
    key = account_key("acme", "a")
    partition = partition_of(key, topics.partitions)

    def applied() -> int:
        return sum(position.applied for position in read_positions(bootstrap, topics).values())

    try:
        journal = roles.start("journal", SOON)
        roles.start("worker")
        producer.send("usage.events", [usage(1, "a", now)])
        until(lambda: applied() == 1, what="the first event")
        assert checks.open_transactions(bootstrap, topics) == []

        theirs = Producer(
            {
                **bootstrap.librdkafka(),
                "transactional.id": uuid.uuid4().hex,
                "transaction.timeout.ms": 600_000,
            }
        )
        theirs.init_transactions(30)
        theirs.begin_transaction()
        theirs.produce(name, codec("usage.events").encode(usage(2, "a", now)), key, partition)
        theirs.flush(30)
        producer.send("usage.events", [usage(n, "a", now) for n in range(10, 15)])
        reason = until(
            lambda: (why := journal.unready()) and "transactions" in why and why, what="the reason"
        )
        assert f"{name}/{partition} is held back at offset" in reason
        assert "6 records wait" in reason
        [fault] = until(lambda: checks.open_transactions(bootstrap, topics), what="the check's fault")
        assert "6 records wait" in fault
        assert "kafka-transactions" in fault
        assert applied() == 1

        theirs.abort_transaction(30)
        until(lambda: applied() == 6, what="what waited")
        until(lambda: not journal.unready(), what="readiness")
        assert checks.open_transactions(bootstrap, topics) == []
        told = journal.log.read_text()
        assert told.count("Input held back") == 1
    finally:
        roles.stop()
