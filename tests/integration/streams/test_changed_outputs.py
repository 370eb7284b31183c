"""Output topics that are not the logs any more that delivery has read: made anew, cut, shortened, widened."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from bellbuoy.exit_codes import CONFIGURATION, LOG_CHANGED
from bellbuoy.local.embedded import Kafka
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.kafka.topics import create_topics
from schemas.connection import Connection
from schemas.records import AccountKpis
from schemas.topics import Topics
from sinks.port import Output
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from streams.delivery.offsets import committed_positions
from streams.kafka.log_reader import end_offsets
from tests.support.damaged_logs import add_partitions, cut_head, cut_tails, make_anew
from tests.support.delivery import done, publish
from tests.support.forked_role import ForkedRole
from tests.support.output_records import alert, health, kpis
from tests.support.recovering import log_faults_found
from tests.support.role_processes import role_settings
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(800)]

PARTITIONS = range(4)
OUTPUTS = ("account.health", "account.kpis", "risk.alerts")


@pytest.fixture
def redis(redis_url: str) -> RedisSettings:
    return RedisSettings(url=redis_url, prefix=f"t{uuid.uuid4().hex[:8]}")


@pytest.fixture
def deliver(
    bootstrap: Connection, topics: Topics, redis: RedisSettings, tmp_path: Path
) -> Iterator[ForkedRole]:
    role = delivery(bootstrap, topics, redis, tmp_path).start()
    yield role
    role.kill()


def delivery(bootstrap: Connection, topics: Topics, redis: RedisSettings, folder: Path) -> ForkedRole:
    settings = role_settings(bootstrap, topics, folder, redis=redis.model_dump())
    return ForkedRole("deliver", settings, folder / "deliver.log")


def outputs(topic: str, first: int, count: int) -> list[Output]:
    """Return records of a topic, each of an account of its own."""
    numbers = range(first, first + count)
    if topic == "account.health":
        return [health(f"a{n}", n) for n in numbers]
    if topic == "account.kpis":
        return [kpis(f"a{n}", {"usage.events": n}, n) for n in numbers]
    return [alert(f"al{n}", n, account_id=f"a{n}") for n in numbers]


def held(redis: RedisSettings, records: Sequence[Output]) -> set[str]:
    """Return the accounts of which Redis has a score or an alert, or the KPIs where these are the records."""
    reader = RedisReader(redis)
    if isinstance(records[0], AccountKpis):
        return {account for account in ids(records) if reader.kpis("demo", account) is not None}
    alerts = {each.account_id for each in reader.open_alerts("demo", 10_000)}
    return alerts | {each.account_id for each in reader.riskiest("demo", 10_000)}


def ids(records: Sequence[Output]) -> set[str]:
    return {record.account_id for record in records}


def delivered(bootstrap: Connection, topics: Topics, redis: RedisSettings, records: Sequence[Output]) -> None:
    until(lambda: ids(records) <= held(redis, records), what="the records in Redis")
    until(lambda: done(bootstrap, topics, RedisSink(redis)), what="the committed offsets")


def told(role: ForkedRole, kind: str) -> None:
    """Wait until delivery is not ready for a reason of this kind, has logged it, and counts it."""
    until(lambda: f'"{kind}"' in role.log.read_text() or f"fault={kind}" in role.log.read_text(), what="log")
    assert "redis logs: " in role.unready()


def ends(bootstrap: Connection, topics: Topics, topic: str) -> dict[int, int]:
    return end_offsets(bootstrap, topics.name(topic), PARTITIONS)


def every_end(bootstrap: Connection, topics: Topics) -> dict[tuple[str, int], int]:
    """Return the ends of all outputs, by topic on the broker and partition."""
    return {(topics.name(t), p): end for t in OUTPUTS for p, end in ends(bootstrap, topics, t).items()}


def knows_epochs(bootstrap: Connection, topics: Topics) -> bool:
    """Return whether delivery has committed the leader epoch of every position."""
    group = f"{topics.prefix}deliver-redis"
    consumer = Consumer({**bootstrap.librdkafka(), "group.id": group})
    try:
        parts = [(topics.name(topic), p) for topic in OUTPUTS for p in PARTITIONS]
        return all(at.epoch >= 0 for at in committed_positions(consumer, parts).values())
    finally:
        consumer.close()


@pytest.mark.parametrize(
    ("topic", "running"),
    [
        ("account.health", True),
        ("account.health", False),
        ("account.kpis", True),
        ("account.kpis", False),
        ("risk.alerts", True),
        ("risk.alerts", False),
    ],
)
def test_outputs_made_anew_are_delivered_from_their_beginning(
    bootstrap: Connection,
    topics: Topics,
    redis: RedisSettings,
    deliver: ForkedRole,
    topic: str,
    running: bool,
) -> None:
    old, new = outputs(topic, 0, 200), outputs(topic, 200, 900)
    publish(bootstrap, topics, old)
    delivered(bootstrap, topics, redis, old)
    before = ends(bootstrap, topics, topic)
    if running:
        deliver.child.pause()
    else:
        deliver.stop()
    make_anew(bootstrap, topics, topics.name(topic))
    publish(bootstrap, topics, new)
    after = ends(bootstrap, topics, topic)
    assert all(after[p] > before[p] for p in PARTITIONS), "the old offsets must be in the new log, too"
    if running:
        deliver.child.resume()
    else:
        deliver.start()
    delivered(bootstrap, topics, redis, new)
    told(deliver, "made_anew")


@pytest.mark.parametrize("running", [True, False])
def test_alerts_whose_head_is_gone_are_delivered_from_where_they_begin(
    bootstrap: Connection, topics: Topics, redis: RedisSettings, deliver: ForkedRole, running: bool
) -> None:
    # Of a compacted topic, Kafka refuses to delete the head.
    old, new = outputs("risk.alerts", 0, 200), outputs("risk.alerts", 200, 400)
    publish(bootstrap, topics, old)
    delivered(bootstrap, topics, redis, old)
    if running:
        deliver.child.pause()
    else:
        deliver.stop()
    cuts = {p: end + 10 for p, end in ends(bootstrap, topics, "risk.alerts").items()}
    publish(bootstrap, topics, new)
    for partition, offset in cuts.items():
        cut_head(bootstrap, topics.name("risk.alerts"), partition, offset)
    assert len([f for f in log_faults_found(bootstrap, topics) if "deleted before" in f]) == 4
    if running:
        deliver.child.resume()
    else:
        deliver.start()
    until(lambda: done(bootstrap, topics, RedisSink(redis)), what="the committed offsets")
    assert len(ids(new) - held(redis, new)) == 4 * 10
    told(deliver, "head_gone")
    assert log_faults_found(bootstrap, topics) == []


@pytest.mark.parametrize(
    ("topic", "running"), [("account.health", True), ("account.kpis", False), ("risk.alerts", True)]
)
def test_outputs_with_partitions_added_stop_delivery(
    bootstrap: Connection,
    topics: Topics,
    redis: RedisSettings,
    deliver: ForkedRole,
    topic: str,
    running: bool,
) -> None:
    records = outputs(topic, 0, 200)
    publish(bootstrap, topics, records)
    delivered(bootstrap, topics, redis, records)
    if not running:
        deliver.stop()
    add_partitions(bootstrap, topics.name(topic), 8)
    if not running:
        deliver.start()
    until(lambda: not deliver.running, what="the end of delivery")
    assert deliver.child.returncode == LOG_CHANGED if running else CONFIGURATION
    assert "bellbuoy recover outputs" in deliver.log.read_text()


@pytest.mark.parametrize("running", [True, False])
def test_what_follows_the_lost_tail_of_outputs_is_delivered(
    redis: RedisSettings, tmp_path: Path, running: bool
) -> None:
    kafka, topics = Kafka(tmp_path / "kafka", port=free_port()), Topics("cut-")
    kafka.start()
    create_topics(kafka.connection, topics)
    deliver = delivery(kafka.connection, topics, redis, tmp_path).start()
    try:
        for first in range(0, 400, 20):
            for topic in OUTPUTS:
                publish(kafka.connection, topics, outputs(topic, first, 20), transactional_id="w")
        for topic in OUTPUTS:
            delivered(kafka.connection, topics, redis, outputs(topic, 0, 400))
        # The epoch of the end is known after the next inspection.
        until(lambda: knows_epochs(kafka.connection, topics), what="the epochs")
        if running:
            deliver.child.pause()
        else:
            deliver.stop()
        before = every_end(kafka.connection, topics)
        cut_tails(kafka, {part: end - 30 for part, end in before.items()})
        left = every_end(kafka.connection, topics)
        assert all(0 < left[part] < end for part, end in before.items()), (before, left)
        for topic in OUTPUTS:
            publish(kafka.connection, topics, outputs(topic, 400, 900), transactional_id="w")
        after = every_end(kafka.connection, topics)
        assert all(after[part] > end for part, end in before.items()), "the old offsets are in the log again"
        if running:
            deliver.child.resume()
        else:
            deliver.start()
        for topic in OUTPUTS:
            delivered(kafka.connection, topics, redis, outputs(topic, 400, 900))
        told(deliver, "tail_gone")
        said = deliver.log.read_text()
        assert all(f"{topics.name(topic)}" in said for topic in OUTPUTS)
    finally:
        deliver.kill()
        kafka.stop()
