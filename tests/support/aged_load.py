"""A load for the engines of the benchmark whose events are of many days."""

from __future__ import annotations

import random
from collections import Counter

from confluent_kafka import Producer

from bench.processes.broker import fresh_topics
from bench.workload.load import DURATION_MS, Load
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.producer_settings import DURABLE
from schemas.records import UsageEvent

DAY_MS = 86_400_000
NOW = 20_000 * DAY_MS


def fill(bootstrap: Connection, days: list[int]) -> Load:
    """Write one event of a random account for each age in days; those over 89 are not in the totals."""
    topics = fresh_topics(bootstrap)
    chance, totals = random.Random(1), Counter[str]()
    producer = Producer({**DURABLE, **bootstrap.librdkafka()})
    for number, age in enumerate(days):
        account = f"acct-{chance.randrange(50)}"
        event = UsageEvent(
            event_id=str(number),
            tenant="acme",
            account_id=account,
            source="bench",
            occurred_at=NOW - age * DAY_MS,
            received_at=NOW,
            user_id=None if number % 2 else "u-1",
            name="Report Exported",
            feature=None if number % 3 else "reports",
            duration_ms=DURATION_MS,
        )
        producer.produce(topics.name("usage.events"), codec("usage.events").encode(event), f"acme:{account}")
        if age < 90:
            totals[f"acme:{account}"] += 1
    producer.flush()
    return Load(bootstrap, topics, len(days), len(totals), 1, 120, dict(totals))
