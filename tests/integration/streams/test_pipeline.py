"""The journal and the worker on a real broker: exact totals, whatever is killed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from bellbuoy.local.embedded import Kafka
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.kafka.ledger import count_inputs, end_offsets
from bellbuoy.operations.kafka.topics import create_topics
from bellbuoy.times import now
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.times import DAY
from schemas.topics import Topics
from streams.kafka.cluster import Cluster
from tests.support.changelog import changelog_totals, read_topic
from tests.support.input_producer import InputProducer, usage
from tests.support.role_processes import RoleProcesses
from tests.support.waiting import until

pytestmark = pytest.mark.services


@pytest.fixture
def roles(bootstrap: Connection, topics: Topics, tmp_path: Path) -> Iterator[RoleProcesses]:
    running = RoleProcesses(bootstrap, topics, tmp_path)
    yield running
    running.stop()


def test_events_reach_the_state_once(bootstrap: Connection, topics: Topics, roles: RoleProcesses) -> None:
    feed, at = InputProducer(bootstrap, topics), now()
    roles.start("journal")
    roles.start("worker")
    events = [usage(i, f"a{i % 50}", at - (i % 30) * DAY) for i in range(5_000)]
    feed.send("usage.events", events)
    feed.send("usage.events", events[:300])  # a client that retries
    until(lambda: changelog_totals(bootstrap, topics).total >= 5_000, what="5,000 applied")
    until(lambda: changelog_totals(bootstrap, topics).duplicates == 300, what="300 duplicates")
    result = changelog_totals(bootstrap, topics)
    assert result.total == 5_000
    assert set(result.applied.values()) == {100}
    assert result.usage == result.applied


def test_poison_on_every_topic_is_set_aside(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    feed, at = InputProducer(bootstrap, topics), now()
    roles.start("journal")
    roles.start("worker")
    for topic in INPUT_TOPICS:
        feed.raw(topic, random.Random(topic).randbytes(200), partition=1)
    feed.raw("usage.events", codec("usage.events").encode(usage(1, "late", at - 200 * DAY)), partition=0)
    feed.raw("usage.events", codec("usage.events").encode(usage(2, "early", at + 2 * DAY)), partition=0)
    feed.raw("usage.events", codec("usage.events").encode(usage(3, "", at)), partition=0)
    feed.raw("usage.events", b"\0\0\0\0\xff" + b"x" * 20, partition=0)
    feed.send("usage.events", [usage(4, "fine", at)])
    until(
        lambda: changelog_totals(bootstrap, topics).dead_letters == len(INPUT_TOPICS) + 4,
        what="the dead letters",
    )
    until(lambda: changelog_totals(bootstrap, topics).total == 1, what="the good event")
    letters = [
        codec("events.deadletter").decode(m.value())
        for m in read_topic(bootstrap, topics.name("events.deadletter"))
    ]
    reasons = sorted(letter.reason for letter in letters)
    assert reasons == [
        "from_future",
        "invalid",
        "too_late",
        *["undecodable"] * len(INPUT_TOPICS),
        "unknown_schema",
    ]
    assert {letter.topic for letter in letters} == set(INPUT_TOPICS)


def test_a_misplaced_record_is_moved_not_lost(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    feed, at = InputProducer(bootstrap, topics), now()
    roles.start("journal")
    roles.start("worker")
    encode = codec("usage.events").encode
    for i in range(400):  # spread over the partitions regardless of the key
        feed.raw("usage.events", encode(usage(i, f"a{i % 10}", at)), b"whatever", partition=i % 4)
    feed.flush()
    until(lambda: changelog_totals(bootstrap, topics).total == 400, what="400 applied")
    result = changelog_totals(bootstrap, topics)
    assert set(result.applied.values()) == {40}
    assert result.moved > 200


def test_envelopes_and_single_events_on_one_topic_are_exact(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    """Through a kill in the middle, after which the dedupe windows are read back from both forms."""
    feed, at = InputProducer(bootstrap, topics), now()
    events = [usage(i, f"a{i % 50}", at - (i % 30) * DAY) for i in range(20_000)]
    journal = roles.start("journal")
    roles.start("worker")
    feed.pack(events[:10_000])
    feed.send("usage.events", events[10_000:12_000])
    until(lambda: changelog_totals(bootstrap, topics).total >= 12_000, what="12,000 applied")
    journal.kill()
    roles.start("journal")
    feed.send("usage.events", events[:500])  # what came in an envelope comes again alone
    feed.pack(events[9_000:], each=1_000)  # and the other way round
    late = [usage(30_000 + i, "a0", at - 200 * DAY) for i in range(3)]
    strayed = [usage(40_000 + i, f"a{i}", at) for i in range(20)]
    encode = codec("usage.events").encode
    for partition in range(topics.partitions):
        [(value, _)] = Envelopes().pack(map(encode, [*late, *strayed]))
        feed.raw("usage.events", value, partition=partition)
    feed.flush()
    read = 12_000 + 500 + 11_000 + 4 * 23

    def accounted() -> bool:
        found = changelog_totals(bootstrap, topics)
        return found.total + found.duplicates + found.dead_letters == read

    until(accounted, what="every event accounted for")
    result = changelog_totals(bootstrap, topics)
    assert result.total == 20_020
    assert result.usage == result.applied
    assert (result.duplicates, result.dead_letters) == (500 + 3_000 + 3 * 20, 4 * 3)
    assert result.moved == 3 * 23
    since = dict.fromkeys(end_offsets(bootstrap, topics), 0)
    assert count_inputs(Cluster(bootstrap, topics, committed()), since).events_in == read
    letters = [
        codec("events.deadletter").decode(m.value())
        for m in read_topic(bootstrap, topics.name("events.deadletter"))
    ]
    assert {codec("usage.events").decode(letter.value) for letter in letters} == set(late)


def test_kill_nine_of_both_stages_keeps_totals_exact(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    at, total, accounts = now(), 200_000, 500
    journal, worker = roles.start("journal"), roles.start("worker")

    def feed() -> None:
        ours = InputProducer(bootstrap, topics)
        for first in range(0, total, 10_000):
            numbers = range(first, first + 10_000)
            ours.send("usage.events", [usage(i, f"a{i % accounts}", at - (i % 60) * DAY) for i in numbers])

    feeder = Thread(target=feed)
    feeder.start()
    for kill in range(6):
        floor = (kill + 1) * total // 8
        until(
            lambda floor=floor: changelog_totals(bootstrap, topics).total > floor,
            what=f"more than {floor} applied",
        )
        if kill % 3 != 0:
            journal.kill()
            journal = roles.start("journal")
        if kill % 3 != 1:
            worker.kill()
            worker = roles.start("worker")
    feeder.join()
    until(lambda: changelog_totals(bootstrap, topics).total >= total, what="all applied")
    result = changelog_totals(bootstrap, topics)
    assert result.total == total
    assert set(result.applied.values()) == {total // accounts}
    assert result.usage == result.applied
    assert result.duplicates == 0


@pytest.mark.timeout(800)
def test_the_death_of_the_broker_under_load_keeps_totals_exact(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path / "kafka", port=free_port())
    kafka.start()
    topics, at, total = Topics("b-", 4), now(), 60_000
    create_topics(kafka.connection, topics)
    roles = RoleProcesses(kafka.connection, topics, tmp_path)
    running = {role: roles.start(role) for role in ("journal", "worker")}

    def feed() -> None:
        ours = InputProducer(kafka.connection, topics)
        for first in range(0, total, 2_000):
            ours.send("usage.events", [usage(i, f"a{i % 100}", at) for i in range(first, first + 2_000)])

    def seen() -> int:
        for role, process in running.items():  # a role may give up on a broker that is away: start it again
            if not process.running:
                running[role] = roles.start(role)
        return changelog_totals(kafka.connection, topics).total

    feeder = Thread(target=feed)
    try:
        feeder.start()
        until(lambda: seen() > total // 4, what="a quarter applied")
        kafka.child.kill()
        kafka.child.wait(60)
        kafka.start()
        feeder.join()
        until(lambda: seen() >= total, what="all applied")
        result = changelog_totals(kafka.connection, topics)
        assert result.total == total
        assert set(result.applied.values()) == {total // 100}
    finally:
        roles.stop()
        kafka.stop()
