"""The Redis sink against a Redis that misbehaves."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bellbuoy.local.embedded import Redis
from sinks.port import Output, Rejected, SinkError
from sinks.redis.layout import HEALTH_FIELDS, KPIS_FIELDS, Keys
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.output_records import AT, alert, health, kpis

pytestmark = pytest.mark.services


@pytest.fixture
def settings(redis_url: str) -> RedisSettings:
    return RedisSettings(url=redis_url, prefix=f"t{uuid.uuid4().hex[:8]}", history=50, updates=100)


@pytest.fixture
def sink(settings: RedisSettings) -> Iterator[RedisSink]:
    sink = RedisSink(settings)
    sink.open()
    yield sink
    sink.close()


@pytest.fixture
def raw(settings: RedisSettings) -> Iterator[Any]:
    client: Any = redis.Redis.from_url(settings.url, decode_responses=True, protocol=2)
    yield client
    client.close()


@pytest.fixture
def keys(settings: RedisSettings) -> Keys:
    return Keys(settings.prefix)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Redis]:
    """Run a server of this test's own, to be broken."""
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def test_fields_are_there_for_quick_reading(sink: RedisSink, raw: Any, keys: Keys) -> None:
    values = {"revenue.before": 500.0, "revenue.gross_retention": 0.8, "revenue.net_retention": 1.2}
    sink.write([health(previous_score=51.5, parent_id="group"), kpis("acme", values, 2)])

    found = raw.hgetall(keys.account("demo", "acme"))

    null = {
        "churn_probability", "involuntary_reasons", "involuntary_score", "merged_into", "renewal_at",
        "silent_sources", "tasks",
    }  # fmt: skip
    assert sorted(found) == sorted({*HEALTH_FIELDS, *KPIS_FIELDS} - null)
    assert found["score"] == "50.0"
    assert found["previous_score"] == "51.5"
    assert found["arr_minor"] == "1200000"
    assert (found["version"], found["kpis_version"]) == ("1", "2")
    assert found["parent_id"] == "group"
    assert (found["mrr_before"], found["gross_retention"], found["net_retention"]) == ("500.0", "0.8", "1.2")
    assert found["reasons"] == '["Active users fell by 40 %"]'


def test_kpis_stand_beside_a_health_that_changes(sink: RedisSink, raw: Any, keys: Keys) -> None:
    key = keys.account("demo", "acme")
    sink.write([kpis("acme", {"revenue.before": 500.0}, 2), health(sequence=3), kpis("acme", {}, 1)])
    assert raw.hmget(key, "mrr_before", "kpis_version", "version") == ["500.0", "2", "3"]

    sink.write([kpis("acme", {}, 4)])
    assert raw.hmget(key, "mrr_before", "kpis_version", "version") == [None, "4", "3"]


def test_a_value_that_became_null_has_no_field(sink: RedisSink, raw: Any, keys: Keys) -> None:
    sink.write([health(sequence=1), health(sequence=2, owner=None, received_at=None)])

    assert raw.hmget(keys.account("demo", "acme"), "owner", "received_at", "name") == [
        None,
        None,
        "Acme GmbH",
    ]


def test_a_resolved_alert_expires(sink: RedisSink, raw: Any, keys: Keys) -> None:
    sink.write([alert(sequence=1)])
    assert raw.ttl(keys.alert("a1")) == -1

    sink.write([alert(sequence=2, change="resolved")])
    assert 0 < raw.ttl(keys.alert("a1")) <= 90 * 86_400


def test_streams_are_bounded(sink: RedisSink, raw: Any, keys: Keys) -> None:
    for start in range(0, 2_000, 500):
        sink.write([health(sequence=start + n, score=float(n % 7)) for n in range(1, 501)])

    assert raw.xlen(keys.updates) < 400
    assert raw.xlen(keys.history("demo", "acme")) < 300


def test_emptied_redis_is_filled_by_the_next_writes(
    sink: RedisSink, raw: Any, settings: RedisSettings
) -> None:
    sink.write([health(sequence=1)])
    raw.delete(*raw.keys(f"{settings.prefix}:*"))
    raw.script_flush()

    sink.write([health(sequence=2), alert()])

    assert RedisReader(settings).account("demo", "acme") == health(sequence=2)


def test_a_lost_hash_does_not_repeat_history(sink: RedisSink, raw: Any, keys: Keys) -> None:
    sink.write([health(sequence=1), health(sequence=2, score=20.0)])
    raw.delete(keys.account("demo", "acme"))

    sink.write([health(sequence=1), health(sequence=2, score=20.0)])

    assert [entry for entry, _ in raw.xrange(keys.history("demo", "acme"))] == [f"{AT + 1}-1", f"{AT + 2}-2"]


@pytest.mark.parametrize("key", ["account", "history"])
def test_an_account_whose_key_is_something_else_is_rejected(
    sink: RedisSink, raw: Any, keys: Keys, settings: RedisSettings, key: str
) -> None:
    raw.set(getattr(keys, key)("demo", "bad"), "not ours")
    batch: list[Output] = [health(f"a{n}", 1) for n in range(100)]
    batch.insert(70, health("bad", 1))

    with pytest.raises(Rejected, match=f":{key}:demo:bad: WRONGTYPE") as rejected:
        sink.write(batch)

    assert rejected.value.index == 70
    batch.pop(70)
    sink.write(batch)
    assert [a.account_id for a in RedisReader(settings).riskiest("demo", 200)] == sorted(
        f"a{n}" for n in range(100)
    )


def test_who_has_an_alert_stands_beside_what_it_says(sink: RedisSink, raw: Any, keys: Keys) -> None:
    sink.write([alert(sequence=1)])
    taken = {"acknowledged_by": "kim", "acknowledged_at": AT + 2, "note": "I call"}
    sink.write([alert(sequence=2, change="updated", **taken)])
    names = ("title", "action", "acknowledged_by", "acknowledged_at", "dismissed_by", "note", "version")
    assert raw.hmget(keys.alert("a1"), names) == [
        "Acme GmbH turned at risk", "Call the champion", "kim", str(AT + 2), "", "I call", "2"
    ]  # fmt: skip


def test_an_alert_whose_key_is_something_else_is_rejected(sink: RedisSink, raw: Any, keys: Keys) -> None:
    raw.set(keys.alert("a1"), "not ours")

    with pytest.raises(Rejected, match="WRONGTYPE") as rejected:
        sink.write([health(), alert()])

    assert rejected.value.index == 1
    assert raw.zcard(keys.alerts("demo")) == 0


@pytest.mark.parametrize("shared", ["risk", "updates", "owner"])
def test_a_shared_key_that_is_something_else_is_everybodys_fault(
    sink: RedisSink, raw: Any, keys: Keys, settings: RedisSettings, shared: str
) -> None:
    key = {"risk": keys.risk("demo"), "updates": keys.updates, "owner": keys.owner("demo", "ann")}[shared]
    raw.set(key, "not ours")
    with pytest.raises(SinkError, match="refuses writes: WRONGTYPE"):
        sink.write([health()])

    raw.delete(key)
    sink.write([health()])
    reader = RedisReader(settings)
    assert len(reader.history("demo", "acme", 9)) == len(reader.updates("0", 9)) == 1
    assert reader.riskiest("demo", 9, owner="ann") == [health()]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_rejected(sink: RedisSink, number: float) -> None:
    with pytest.raises(Rejected, match="finite") as rejected:
        sink.write([health(), health("b", score=number)])
    assert rejected.value.index == 1

    with pytest.raises(Rejected, match="finite"):
        sink.write([alert(score=number)])


def test_nobody_listens() -> None:
    sink = RedisSink(RedisSettings(url="redis://user:hunter2@127.0.0.1:1/0"))

    with pytest.raises(SinkError, match=r"redis://127\.0\.0\.1:1/0 is away") as error:
        sink.open()
    assert "hunter2" not in str(error.value)
    with pytest.raises(SinkError):
        sink.write([health()])
    sink.close()


def test_a_full_or_read_only_redis_is_waited_for(own: Redis) -> None:
    settings = RedisSettings(url=own.url)
    sink, client = RedisSink(settings), redis.Redis.from_url(own.url)
    sink.open()

    client.config_set("maxmemory", "1mb")
    with pytest.raises(SinkError, match="full: raise its maxmemory") as error:
        sink.write([health()])
    assert error.value.retry_after == 5.0
    client.config_set("maxmemory", "0")
    client.replicaof("127.0.0.1", 1)
    with pytest.raises(SinkError, match="read-only"):
        sink.write([health()])
    client.replicaof("NO", "ONE")

    sink.write([health()])
    assert RedisReader(settings).account("demo", "acme") == health()


@pytest.mark.conformance("reset", sink="redis")
def test_killed_in_the_middle_of_writing(own: Redis, tmp_path: Path) -> None:
    batches = [[health(f"a{n % 200}", s * 1000 + n, float(n % 90)) for n in range(1000)] for s in range(30)]
    port, pid = own.port, own.child.pid
    settings = RedisSettings(url=own.url, prefix="killed", updates=100_000)
    sink = RedisSink(settings)
    sink.open()
    threading.Timer(0.3, lambda: os.kill(pid, signal.SIGKILL)).start()

    failures = 0
    for batch in batches:
        deadline = time.monotonic() + 30
        while True:
            try:
                sink.write(batch)
                break
            except SinkError:
                failures += 1
                assert time.monotonic() < deadline
                if not own.child.running:
                    own = Redis(tmp_path / "redis", port=port)
                    own.start()
                time.sleep(0.05)
    assert failures
    clean = RedisSink(settings.model_copy(update={"prefix": "clean"}))
    clean.open()
    for batch in batches:
        clean.write(batch)

    left, right = (RedisReader(settings.model_copy(update={"prefix": p})) for p in ("killed", "clean"))
    assert left.riskiest("demo", 1000) == right.riskiest("demo", 1000)
    assert len(left.riskiest("demo", 1000)) == 200
    own.stop()


def test_batches_of_thousands_are_written_whole(sink: RedisSink, raw: Any, keys: Keys) -> None:
    for sequence in range(1, 6):
        sink.write([health(f"a{n}", sequence, float((n * sequence) % 90)) for n in range(2_000)])

    pipeline = raw.pipeline(transaction=False)
    for n in range(2_000):
        pipeline.hmget(keys.account("demo", f"a{n}"), "version", "score")
    assert pipeline.execute() == [["5", str(float(n * 5 % 90))] for n in range(2_000)]
