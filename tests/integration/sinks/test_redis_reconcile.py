"""Redis compared with Kafka account by account: hashes, KPIs and places in the rankings, and put right."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import Any

import pytest
import redis

from bellbuoy.operations.delivery.reconcile import compare, find_reconcilable, repair
from bellbuoy.settings import load
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.redis.layout import KPIS_FIELDS
from tests.support.delivery import delivering, done, publish
from tests.support.output_records import health, story
from tests.support.waiting import until

pytestmark = pytest.mark.services


def test_what_was_lost_changed_or_left_over_is_named_and_put_right(
    bootstrap: Connection, topics: Topics, redis_url: str
) -> None:
    settings = load(
        kafka={"bootstrap": str(bootstrap), "topic_prefix": topics.prefix, "partitions": topics.partitions},
        redis={"url": redis_url, "prefix": f"t{uuid.uuid4().hex[:8]}"},
    )
    prefix = settings.redis.prefix
    client: Any = redis.Redis.from_url(redis_url, decode_responses=True)
    publish(bootstrap, topics, [*story(), *(health(f"c{n}", 900 + n, 20.0, owner="eve") for n in range(5))])
    with delivering(bootstrap, topics, settings.redis.sink()):
        until(lambda: done(bootstrap, topics, settings.redis.sink()))

    with closing(find_reconcilable(settings, "redis")) as sink:
        sink.open()
        same = compare(settings, sink)
        assert same.published == same.entries == {"account.health": 11, "account.kpis": 6}
        assert same.differences == []
        account = f"{prefix}:account:demo:"
        client.delete(account + "c0")
        client.zrem(f"{prefix}:risk:demo", "c0")
        client.hset(account + "c1", "owner", "mallory")
        client.zrem(f"{prefix}:risk:demo", "c2")
        client.zadd(f"{prefix}:owner:demo:eve", {"c3": 99.0})
        client.zadd(f"{prefix}:risk:demo", {"ghost": 1.0})
        client.hdel(account + "a1", *KPIS_FIELDS)

        found = compare(settings, sink)
        assert [(each.topic, each.account[1], each.kind) for each in found.differences] == [
            ("account.health", "c0", "missing"),
            ("account.health", "c1", "different"),
            ("account.health", "c2", "different"),
            ("account.health", "c3", "different"),
            ("account.health", "ghost", "left_over"),
            ("account.kpis", "a1", "missing"),
        ]
        assert repair(settings, sink, found) == 6
        assert compare(settings, sink).differences == []
        assert client.zscore(f"{prefix}:owner:demo:eve", "c1") == 20.0
        assert client.zscore(f"{prefix}:risk:demo", "ghost") is None
    client.close()
