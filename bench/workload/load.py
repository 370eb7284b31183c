"""Load of every contender: usage events of many accounts on new topics, and their exact totals."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import Producer

from bellbuoy.times import now
from bench.processes.broker import fresh_topics
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.producer_settings import DURABLE
from schemas.records import UsageEvent
from schemas.times import DAY
from schemas.topics import Topics

__all__ = ["DURATION_MS", "Load", "fill"]

DURATION_MS = 1200
"""The duration of every event of the load."""

_EVENT, _ACCOUNT, _USER = b"#" * 16, b"%" * 12, b"user-00"


@dataclass(frozen=True, slots=True)
class Load:
    """A load on the broker; ``totals`` counts its events by account key."""

    connection: Connection
    topics: Topics
    events: int
    accounts: int
    seed: int
    days: int
    totals: dict[str, int]

    def head(self, events: int | None) -> Load:
        """Return a load of the first events only, written to new topics; ``None``: the whole load."""
        if events is None or events >= self.events:
            return self
        return fill(self.connection, events, self.accounts, self.seed, self.days)


def fill(connection: Connection, events: int, accounts: int, seed: int, days: int = 1) -> Load:
    """
    Write a load to new topics as a producer would: accounts by Zipf 0.8, 50 users, lz4.

    The events happen at this hour of each of the last ``days`` days in turn, the first of them now.
    """
    topics = fresh_topics(connection)
    chance = random.Random(seed)
    weights = [1 / (rank + 1) ** 0.8 for rank in range(accounts)]
    chosen = chance.choices(range(accounts), weights, k=events)
    at = now()
    templates = [_template(at - back * DAY, at) for back in range(days)]
    producer = Producer(
        {
            **DURABLE,
            **connection.librdkafka(),
            "linger.ms": 20,
            "batch.size": 200_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    name = topics.name("usage.events")
    for number, account in enumerate(chosen):
        value = (
            templates[number % days]
            .replace(_EVENT, b"%016x" % number)
            .replace(_ACCOUNT, b"acct-%07d" % account)
            .replace(_USER, b"user-%02d" % (number % 50))
        )
        while True:
            try:
                producer.produce(name, value, b"acme:acct-%07d" % account)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    producer.flush()
    totals = Counter(f"acme:acct-{account:07d}" for account in chosen)
    return Load(connection, topics, events, accounts, seed, days, dict(totals))


def _template(occurred_at: int, received_at: int) -> bytes:
    return codec("usage.events").encode(
        UsageEvent(
            event_id=_EVENT.decode(),
            tenant="acme",
            account_id=_ACCOUNT.decode(),
            source="bench",
            occurred_at=occurred_at,
            received_at=received_at,
            user_id=_USER.decode(),
            name="Report Exported",
            feature="reports",
            duration_ms=DURATION_MS,
        )
    )
