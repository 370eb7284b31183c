"""Records that are set aside stop nothing, and are applied once when they come again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, TIMESTAMP_LOG_APPEND_TIME, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key
from schemas.producer_settings import DURABLE
from schemas.records import SupportEvent, SurveyResponse
from schemas.times import DAY
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.input_producer import usage
from tests.support.topic_settings import alter
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY


@pytest.fixture
def ours(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as deployment:
        yield deployment


def restart(deployment: Deployment, role: str) -> None:
    for process in deployment.roles.processes:
        if process.role == role:
            process.kill()
            process.start()


def test_events_from_the_future_are_applied_once_after_a_restart(ours: Deployment) -> None:
    ahead = [usage(n, f"a{n % 5}", START + 2 * DAY) for n in range(50)]
    present = [usage(n, f"a{n % 5}", START) for n in range(100, 130)]
    ours.producer.send("usage.events", ahead[:20])
    ours.producer.pack([x for pair in zip(ahead[20:], present, strict=True) for x in pair], each=7)
    ours.tick(START)
    until(lambda: ours.ended() == 80, what="everything read")
    assert (ours.applied(), len(ours.letters())) == (30, 50)

    restart(ours, "journal")
    ours.tick(START + 2 * DAY)
    assert ours.cli("deadletters", "redrive", "--reason", "from_future")["redriven"] == 50
    until(lambda: ours.ended() == 130, what="the redriven events")
    assert ours.applied() == 80

    ours.producer.send("usage.events", [*ahead, *present])  # their senders repeat all of it
    restart(ours, "journal")
    until(lambda: ours.ended() == 210, what="what was sent again")
    assert ours.applied() == 80


def test_records_of_any_size_become_dead_letters_and_are_redriven_whole(ours: Deployment) -> None:
    """The broker takes a record by its compressed size, and by what an operator lets the topic take."""
    name = ours.topics.name("usage.events")
    alter(ours.bootstrap, name, max_message_bytes="30000000")
    wide = Producer({**DURABLE, **ours.bootstrap.librdkafka(), "message.max.bytes": 30_000_000})
    squeezed = Producer(
        {
            **DURABLE,
            **ours.bootstrap.librdkafka(),
            "message.max.bytes": 30_000_000,
            "compression.type": "zstd",
        }
    )
    encode = codec("usage.events").encode
    garbage = random.Random(1).randbytes(9_000_000)
    long_named = usage(1, "a1", START, name="n" * 12_000_000)
    nearly_whole = usage(2, "a1", START, name="n" * 4_100_000)
    alone = account_key("acme", "a1")
    wide.produce(name, garbage, alone)
    wide.produce(name, b"x", alone, headers={"trace": garbage})
    wide.produce(name, b"x", garbage)
    squeezed.produce(name, encode(long_named), alone)
    squeezed.produce(name, encode(nearly_whole), alone)
    squeezed.produce(ours.topics.name("support.events"), b"y" * 25_000_000, alone)
    for producer in (wide, squeezed):
        assert producer.flush(60) == 0
    ours.producer.send("usage.events", [usage(3, "a1", START)])
    ours.tick(START)
    until(lambda: ours.ended() == 7, what="everything read")
    assert ours.applied() == 1
    letters = {letter.value_bytes: letter for letter in ours.letters()}
    assert {0, 9_000_000, 25_000_000, len(encode(long_named))} == set(letters)
    assert len(ours.letters()) == 6
    assert letters[9_000_000].value == garbage[:65_536]

    restart(ours, "journal")
    named = letters[len(encode(long_named))].id
    assert ours.cli("deadletters", "show", named)["value_bytes"] == len(encode(long_named))
    for letter in ours.letters():
        if letter.reason == "invalid":
            ours.cli("deadletters", "repair", letter.id, "--set", "name=short")
    assert ours.cli("deadletters", "redrive", "--reason", "invalid")["redriven"] == 2
    until(lambda: ours.applied() == 3, what="the repaired events")

    delete_records(ours, name)
    [gone] = ours.cli("deadletters", "redrive", letters[9_000_000].id, code=1)["faulty"]
    assert "has them no more" in gone["faults"][0]["what"]
    assert "--file" in gone["faults"][0]["fix"]


def delete_records(deployment: Deployment, topic: str) -> None:
    """Delete all that is on a topic so far, as its retention does."""
    client = AdminClient(deployment.bootstrap.librdkafka())
    ends = [TopicPartition(topic, number, OFFSET_END) for number in range(deployment.topics.partitions)]
    for future in client.delete_records(ends).values():
        future.result(10)


def test_a_backfill_older_than_the_retention_is_applied(ours: Deployment) -> None:
    name = ours.topics.name("usage.events")
    # The shortest segments: whatever the retention lets go goes with the broker's next look.
    alter(ours.bootstrap, name, segment_ms="1")
    for process in ours.roles.processes:
        process.stop()
    encode, now = codec("usage.events").encode, time.time_ns() // 1_000_000
    producer = Producer({**DURABLE, **ours.bootstrap.librdkafka()})
    events = [usage(n, f"a{n % 5}", START - 20 * DAY) for n in range(300)]
    for number, event in enumerate(events):
        key = account_key(event.tenant, event.account_id)
        producer.produce(name, encode(event), key, timestamp=now - 20 * DAY + number)
        if number % 100 == 0:
            producer.flush(30)
    assert producer.flush(60) == 0
    [record, *_] = read_topic(ours.bootstrap, name, 2)
    kind, at = record.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert abs(at - now) < DAY
    for process in ours.roles.processes:
        process.start()
    ours.tick(START)
    until(lambda: ours.applied() == 300, what="the backfill")


def test_an_account_of_long_texts_stops_nothing(ours: Deployment) -> None:
    def text(number: int) -> str:
        return f"{number:05}".ljust(1_024, "\U0001f6df")

    common = {"tenant": "acme", "account_id": "long", "source": "s", "received_at": START}
    tickets = [
        SupportEvent(event_id=f"t{n}", occurred_at=START - n, kind="opened", ticket_id=text(n), **common)
        for n in range(2_000)
    ]
    answers = [
        SurveyResponse(
            event_id=f"s{n}",
            occurred_at=START - n,
            kind="nps",
            score=9,
            survey_id=text(n),
            user_id=text(n),
            **common,
        )
        for n in range(2_000)
    ]
    ours.producer.send("support.events", tickets)
    ours.producer.send("survey.responses", answers)
    ours.producer.send("usage.events", [usage(1, f"a{n}", START, event_id=f"e{n}") for n in range(8)])
    ours.tick(START)
    until(lambda: ours.applied() == 4_008, what="everything")
    [state] = [state for key, state in ours.states().items() if key == account_key("acme", "long")]
    assert text(0) in state["tickets"]  # the newest
    assert len(state["tickets"]) < 2_000
    restart(ours, "worker")
    ours.tick(START + DAY)
