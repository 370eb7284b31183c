"""A Redis that loses what it held is filled again, to the content of one that never did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bellbuoy.local.embedded import Redis
from schemas.connection import Connection
from schemas.records import AccountKpis
from schemas.topics import Topics
from sinks.port import Output
from sinks.redis.client import connect
from sinks.redis.layout import Keys
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.delivery import delivering, done, publish
from tests.support.forked_role import ForkedRole
from tests.support.output_records import alert, health, kpis
from tests.support.role_processes import role_settings
from tests.support.waiting import until

pytestmark = pytest.mark.services

ACCOUNTS, ALERTS = 60, 20


def story(last: int) -> list[Output]:
    """Return changes 1 to *last* of 60 accounts, their KPIs and 20 alerts."""
    outputs: list[Output] = []
    for n in range(1, last + 1):
        owner = ("ann", "ben", None)[n % 3]
        band = {"band": "unknown"} if n % 17 == 0 else {}
        outputs.append(health(f"a{n % ACCOUNTS}", n, float(n % 89), owner=owner, **band))
        if n % 3 == 0:
            outputs.append(kpis(f"a{n % ACCOUNTS}", {"revenue.before": float(n)}, n))
        if n % 5 == 0:
            change = ("opened", "updated", "resolved")[n // 100 % 3]
            outputs.append(alert(f"al{n % ALERTS}", n, change, account_id=f"a{n % ALERTS}"))
    return outputs


def content(settings: RedisSettings) -> dict[str, Any]:
    """Return everything that a reader can see, without the ids of updates, which follow Redis's clock."""
    reader = RedisReader(settings)
    try:
        updates = reader.updates("0", 1_000_000)
        return {
            "kpis": [reader.kpis("demo", f"a{n}") for n in range(ACCOUNTS)],
            "accounts": [reader.account("demo", f"a{n}") for n in range(ACCOUNTS)],
            "history": [reader.history("demo", f"a{n}", 1_000) for n in range(ACCOUNTS)],
            "risk": reader.riskiest("demo", 1_000),
            "owners": [reader.riskiest("demo", 1_000, owner=owner) for owner in ("ann", "ben")],
            "unknown": reader.unknown("demo"),
            "open": reader.open_alerts("demo", 1_000),
            "alerts": [reader.alert(f"al{n}") for n in range(ALERTS)],
            "updates": sorted(
                (u.account_id, u.version, u.kind, u.alert_id or "", u.change or "") for u in updates
            ),
        }
    finally:
        reader.close()


def untouched(outputs: list[Output], url: str) -> dict[str, Any]:
    """Return the content of a Redis that was given everything once."""
    settings = RedisSettings(url=url, prefix=f"t{uuid.uuid4().hex[:8]}")
    sink = RedisSink(settings)
    sink.open()
    sink.write(outputs)
    sink.close()
    return content(settings)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Redis]:
    """Run a server of this test's own, to be emptied."""
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def seen(settings: RedisSettings) -> int:
    """Return the number of updates in Redis; without reading them, because it is asked often."""
    client = connect(settings)
    try:
        return client.xlen(Keys(settings.prefix).updates)
    finally:
        client.close()


def whole(settings: RedisSettings, outputs: list[Output]) -> bool:
    """Whether every output is in Redis: each update, and the newest KPIs of each account."""
    newest = {o.account_id: o.sequence for o in outputs if isinstance(o, AccountKpis)}
    if seen(settings) != sum(not isinstance(o, AccountKpis) for o in outputs):
        return False
    reader = RedisReader(settings)
    try:
        return all((k := reader.kpis("demo", name)) and k.sequence == n for name, n in newest.items())
    finally:
        reader.close()


def test_emptied_under_load(bootstrap: Connection, topics: Topics, own: Redis, redis_url: str) -> None:
    settings, outputs = RedisSettings(url=own.url), story(6_000)
    client = redis.Redis.from_url(own.url)
    writer = threading.Thread(target=publish, args=(bootstrap, topics, outputs))
    with delivering(bootstrap, topics, RedisSink(settings)):
        writer.start()
        for _ in range(4):
            until(lambda: seen(settings) > 300, what="something delivered")
            client.flushall()
        writer.join()
        until(lambda: whole(settings, outputs), what="all delivered again")

        assert content(settings) == untouched(outputs, redis_url)


def test_emptied_while_nothing_happens(
    bootstrap: Connection, topics: Topics, own: Redis, redis_url: str
) -> None:
    settings, outputs = RedisSettings(url=own.url), story(500)
    publish(bootstrap, topics, outputs)
    with delivering(bootstrap, topics, RedisSink(settings)):
        until(lambda: done(bootstrap, topics, RedisSink(settings)))
        redis.Redis.from_url(own.url).flushall()
        until(lambda: whole(settings, outputs), what="filled again, unasked")

        assert content(settings) == untouched(outputs, redis_url)


def test_emptied_while_delivery_is_stopped(
    bootstrap: Connection, topics: Topics, own: Redis, redis_url: str
) -> None:
    settings, outputs = RedisSettings(url=own.url), story(500)
    publish(bootstrap, topics, outputs)
    with delivering(bootstrap, topics, RedisSink(settings)):
        until(lambda: done(bootstrap, topics, RedisSink(settings)))
    redis.Redis.from_url(own.url).flushall()
    with delivering(bootstrap, topics, RedisSink(settings)):
        until(lambda: whole(settings, outputs))

        assert content(settings) == untouched(outputs, redis_url)


def test_an_older_copy_comes_back(bootstrap: Connection, topics: Topics, own: Redis, redis_url: str) -> None:
    settings, outputs = RedisSettings(url=own.url), story(2_000)
    client: Any = redis.Redis.from_url(own.url)
    half = len(outputs) // 2
    publish(bootstrap, topics, outputs[:half])
    with delivering(bootstrap, topics, RedisSink(settings)):
        until(lambda: done(bootstrap, topics, RedisSink(settings)))
        copy = {key: client.dump(key) for key in client.scan_iter()}
        publish(bootstrap, topics, outputs[half:])
        until(lambda: whole(settings, outputs))
        transaction = client.pipeline().flushall()
        for key, value in copy.items():
            transaction.restore(key, 0, value)
        transaction.execute()
        until(lambda: whole(settings, outputs), what="the lost half delivered again")

        assert content(settings) == untouched(outputs, redis_url)


def test_killed_while_filling_again(
    bootstrap: Connection, topics: Topics, own: Redis, redis_url: str, tmp_path: Path
) -> None:
    settings, outputs = RedisSettings(url=own.url), story(4_000)
    publish(bootstrap, topics, outputs)
    role = role_settings(
        bootstrap, topics, tmp_path, delivery={"batch_records": 100}, redis=settings.model_dump()
    )
    process = ForkedRole("deliver", role, tmp_path / "log")
    for round_ in range(3):
        process.start()
        try:
            until(lambda: done(bootstrap, topics, RedisSink(settings)))
            if round_ < 2:
                redis.Redis.from_url(own.url).flushall()
                until(lambda: seen(settings) > 500, what="filling again")
            else:
                until(lambda: whole(settings, outputs))
        finally:
            process.kill()

    assert content(settings) == untouched(outputs, redis_url)


def test_two_members_fill_their_parts(
    bootstrap: Connection, topics: Topics, own: Redis, redis_url: str
) -> None:
    settings, outputs = RedisSettings(url=own.url), story(2_000)
    with (
        delivering(bootstrap, topics, RedisSink(settings)),
        delivering(bootstrap, topics, RedisSink(settings)),
    ):
        publish(bootstrap, topics, outputs[:1_500])
        until(lambda: seen(settings) > 1_000)
        redis.Redis.from_url(own.url).flushall()
        publish(bootstrap, topics, outputs[1_500:])
        until(lambda: whole(settings, outputs))

        assert content(settings) == untouched(outputs, redis_url)


def test_rebuild_beside_a_running_delivery(
    bootstrap: Connection, topics: Topics, own: Redis, redis_url: str, tmp_path: Path
) -> None:
    settings, outputs = RedisSettings(url=own.url), story(3_000)
    client = redis.Redis.from_url(own.url)

    def rebuild(*arguments: str) -> dict[str, Any]:
        environment = {
            "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
            "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
            "BELLBUOY_REDIS__URL": own.url,
        }
        command = [sys.executable, "-P", "-m", "bellbuoy", "rebuild", "redis", "--json", *arguments]
        answer = subprocess.run(
            command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    writer = threading.Thread(target=publish, args=(bootstrap, topics, outputs))
    with delivering(bootstrap, topics, RedisSink(settings)):
        publish(bootstrap, topics, outputs[:2_000])
        until(lambda: done(bootstrap, topics, RedisSink(settings)))
        client.hdel("bb:account:demo:a1", "health")  # what delivery can't notice
        before = rebuild("--dry-run")
        assert (before["members"], before["entries"] > ACCOUNTS) == (1, True)
        writer.start()
        answer = rebuild()
        writer.join()
        assert (answer["filled"], answer["records"] >= 2_000) == (True, True)
        until(lambda: done(bootstrap, topics, RedisSink(settings)))
    assert content(settings) == untouched(outputs, redis_url)

    assert rebuild()["filled"] is False  # nobody delivers
    assert rebuild("--dry-run")["entries"] == 0
    with delivering(bootstrap, topics, RedisSink(settings)):
        until(lambda: whole(settings, outputs), what="filled by the next delivery")
    assert content(settings) == untouched(outputs, redis_url)
