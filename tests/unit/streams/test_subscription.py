"""The topics that a sink is subscribed to follow from the records that it declares."""

from __future__ import annotations

from itertools import combinations

import pytest

from schemas.records import AccountHealth, AccountKpis, AlertNotification, RiskAlert
from schemas.topics import Topics
from sinks.memory import MemorySink
from sinks.port import OUTPUTS, Output
from sinks.redis.settings import RedisSettings
from streams.delivery.subscription import Subscription, output_topics

TOPIC = {
    AccountHealth: "account.health",
    AccountKpis: "account.kpis",
    RiskAlert: "risk.alerts",
    AlertNotification: "alert.notifications",
}


@pytest.mark.parametrize("records", [some for n in range(1, 5) for some in combinations(TOPIC, n)])
def test_a_sink_is_given_the_topics_of_its_records_alone(records: tuple[type[Output], ...]) -> None:
    sink = MemorySink()
    sink.records = frozenset(records)

    subscription = Subscription.of(sink, Topics("test-", partitions=2))

    assert set(subscription.topics) == {TOPIC[record] for record in records}
    assert set(subscription.names) == {f"test-{TOPIC[record]}" for record in records}
    assert [(p.topic, p.partition) for p in subscription.partitions()] == [
        (name, number) for name in subscription.names for number in (0, 1)
    ]


def test_the_redis_sink_takes_what_has_a_key_from_the_group_that_it_always_had() -> None:
    subscription = Subscription.of(RedisSettings().sink(), Topics("eu-"))

    assert subscription.topics == ("account.health", "account.kpis", "risk.alerts")
    assert subscription.group == "eu-deliver-redis"


def test_every_output_has_a_topic() -> None:
    assert len(output_topics()) == len(OUTPUTS)
