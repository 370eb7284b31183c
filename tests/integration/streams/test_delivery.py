"""Delivery against a real Kafka, with sinks and processes that fail."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from bellbuoy.local.embedded import Redis
from bellbuoy.operations.kafka.topics import delete_topics
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.records import AccountHealth, DeadLetter, RiskAlert, dead_letters
from schemas.topics import Topics
from sinks.memory import MemorySink
from sinks.port import Output, Rejected, SinkError
from sinks.redis.client import connect
from sinks.redis.layout import Keys
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from streams.delivery.metrics import LAG
from streams.delivery.stage import DeliveryError, run
from tests.support.delivery import QUICK, committed_offsets, delivering, done
from tests.support.delivery import publish as write_outputs
from tests.support.forked_role import ForkedRole
from tests.support.output_records import alert, health, kpis
from tests.support.role_processes import role_settings
from tests.support.waiting import until

pytestmark = pytest.mark.services

SLOW_RETRY = QUICK.model_copy(update={"retry_seconds": 1.0})


@pytest.fixture
def publish(bootstrap: Connection, topics: Topics) -> Callable[..., None]:
    return partial(write_outputs, bootstrap, topics)


def read_dead_letters(bootstrap: Connection, topics: Topics, count: int) -> list[DeadLetter]:
    """Return the dead letters once there are so many."""
    consumer = Consumer(
        {**bootstrap.librdkafka(), "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topics.name("events.deadletter")])
    found: list[DeadLetter] = []

    def enough() -> bool:
        found.extend(codec("events.deadletter").decode(m.value()) for m in consumer.consume(100, 0.2))
        return len(found) >= count

    try:
        until(enough)
    finally:
        consumer.close()
    return found


class FaultySink(MemorySink):
    """Sink that raises the given errors before it takes batches, and records every attempt."""

    name = "faulty"

    def __init__(self, failures: Sequence[Exception]) -> None:
        super().__init__()
        self.failures = list(failures)
        self.offered: list[list[Output]] = []
        self.taken: list[Output] = []

    def write(self, batch: Sequence[Output], /) -> None:
        self.offered.append(list(batch))
        if self.failures:
            raise self.failures.pop(0)
        super().write(batch)
        self.taken.extend(batch)


def test_every_record_reaches_every_sink_once(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    first, second = FaultySink([]), MemorySink()
    outputs: list[Output] = [health(f"a{n % 7}", n, float(n % 90)) for n in range(1, 500)]
    outputs += [alert(f"al{n}", n, account_id=f"a{n % 7}") for n in range(1, 50)]
    outputs += [kpis(f"a{n % 7}", {"usage.depth": float(n)}, n) for n in range(1, 50)]
    updates = len(outputs) - 49  # KPIs are no updates

    with delivering(bootstrap, topics, first, second):
        publish(outputs)
        until(lambda: len(first.taken) >= len(outputs))
        until(lambda: len(second.updates("0", 1000)) >= updates)
        until(lambda: done(bootstrap, topics, first))

    assert sorted(map(repr, first.taken)) == sorted(map(repr, outputs))
    for account in range(7):
        versions = [
            o.sequence for o in first.taken if isinstance(o, AccountHealth) and o.account_id == f"a{account}"
        ]
        assert versions == sorted(versions)


def test_a_sink_of_alerts_sees_alerts_alone_and_lags_behind_their_topic_alone(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    class Alerts(FaultySink):
        name = "alerts"
        records = frozenset({RiskAlert})

    outputs: list[Output] = [health(f"a{n}", 1) for n in range(200)]
    outputs += [kpis(f"a{n}", {"usage.depth": 1.0}) for n in range(200)]
    outputs += [alert(f"al{n}", 1, account_id=f"a{n}") for n in range(30)]
    publish(outputs)
    sink = Alerts([SinkError("away")] * 3)

    def lag() -> dict[str, float]:
        found: dict[str, float] = {}
        for sample in LAG.collect()[0].samples:
            if sample.labels["sink"] == "alerts":
                found[sample.labels["topic"]] = found.get(sample.labels["topic"], 0.0) + sample.value
        return found

    with delivering(bootstrap, topics, sink, MemorySink(), settings=SLOW_RETRY):
        until(lambda: 30 <= lag().get("risk.alerts", 0) < 60)  # markers of transactions count, too
        assert set(lag()) == {"risk.alerts"}
        until(lambda: len(sink.taken) == 30)
        until(lambda: lag() == {"risk.alerts": 0.0})
        until(lambda: done(bootstrap, topics, sink))

    assert {type(output) for output in sink.taken} == {RiskAlert}
    assert {topic for topic, _ in committed_offsets(bootstrap, topics, sink)} == {topics.name("risk.alerts")}


def test_only_the_topics_that_a_sink_reads_must_exist(bootstrap: Connection) -> None:
    class Alerts(MemorySink):
        records = frozenset({RiskAlert})

    with pytest.raises(DeliveryError, match=r"no topic nowhere-risk\.alerts, nowhere-events\.deadletter:"):
        run(bootstrap, Topics("nowhere-"), QUICK, [Alerts()], committed(), threading.Event())


def test_a_lone_record_is_not_kept_waiting(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    sink = MemorySink()
    with delivering(bootstrap, topics, sink):
        publish([health("first")])
        until(lambda: sink.account("demo", "first"))
        waits = []
        for n in range(20):
            publish([health("lone", n + 1)])
            started = time.perf_counter()
            until(lambda n=n: (a := sink.account("demo", "lone")) and a.sequence == n + 1)
            waits.append(time.perf_counter() - started)

    assert min(waits) < 0.2  # the quickest: others may have waited for the machine


def test_a_sink_that_fails_is_offered_the_same_batch(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    outputs = [health(f"a{n}", 1) for n in range(3000)]
    publish(outputs)
    sink = FaultySink([SinkError("away"), SinkError("away", retry_after=0.3), SinkError("away")])
    healthy = MemorySink()

    with delivering(bootstrap, topics, sink, healthy):
        until(lambda: len(healthy.updates("0", 5000)) == 3000)
        until(lambda: len(sink.taken) >= 3000)
        publish([health("later", 1)])
        until(lambda: sink.account("demo", "later"))

    assert sink.offered[0] == sink.offered[1] == sink.offered[2] == sink.offered[3]
    assert len(sink.taken) == 3001


def test_stopped_while_the_sink_is_away_loses_nothing(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    publish([health(f"a{n}", 1) for n in range(50)])
    away = FaultySink([SinkError("away")] * 1000)
    with delivering(bootstrap, topics, away):
        until(lambda: len(away.offered) > 1)
    assert not away.taken

    back = FaultySink([])
    with delivering(bootstrap, topics, back):
        until(lambda: len(back.taken) == 50)


def test_a_sink_away_at_the_start_is_waited_for(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    class Late(FaultySink):
        def open(self) -> None:
            if self.failures:
                raise self.failures.pop()

    publish([health()])
    sink = Late([SinkError("away")] * 3)

    with delivering(bootstrap, topics, sink):
        until(lambda: sink.taken)


def test_a_rejected_record_becomes_a_dead_letter_and_the_rest_goes_on(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    class Picky(FaultySink):
        def write(self, batch: Sequence[Output], /) -> None:
            for index, output in enumerate(batch):
                if output.account_id.startswith("bad"):
                    raise Rejected(index, "no such account here")
            super().write(batch)

    sink = Picky([])
    outputs = [health(f"{'bad' if n % 10 == 0 else 'good'}{n}", 1) for n in range(40)]
    publish(outputs)

    with delivering(bootstrap, topics, sink):
        until(lambda: len(sink.taken) == 36)
        letters = read_dead_letters(bootstrap, topics, 4)

    assert {letter.reason for letter in letters} == {"invalid"}
    assert {letter.detail for letter in letters} == {"faulty: no such account here"}
    assert {codec("account.health").decode(letter.value).account_id for letter in letters} == {
        "bad0",
        "bad10",
        "bad20",
        "bad30",
    }
    assert {letter.tenant for letter in letters} == {"demo"}


def test_bytes_that_are_no_record_become_dead_letters(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    sink = FaultySink([])
    good = codec("account.health").encode(health("good"))
    garbage = [os.urandom(40), b"", b"\0\0\0\xff\xff" + good[5:], good[:-3], good + b"x", good[:9]]
    producer = Producer(bootstrap.librdkafka())
    name = topics.name("account.health")
    for value in garbage:
        producer.produce(name, value, b"\xff\xfe", partition=1, headers=[("trace", b"\x01")])
    producer.produce(name, good, b"demo:good", partition=1)
    producer.flush(30)

    with delivering(bootstrap, topics, sink):
        until(lambda: sink.taken)
        letters = read_dead_letters(bootstrap, topics, len(garbage))

    assert sink.taken == [health("good")]
    assert [letter.value for letter in sorted(letters, key=lambda at: at.offset)] == garbage
    assert {letter.reason for letter in letters} == {"undecodable", "unknown_schema"}
    assert all(letter.headers == {"trace": b"\x01"} and letter.key == b"\xff\xfe" for letter in letters)
    expected = dead_letters.of_record(
        reason="invalid", detail="", topic=name, partition=1, offset=0, value=None, failed_at=0
    )
    assert expected.id in {letter.id for letter in letters}


def test_aborted_transactions_are_not_delivered(bootstrap: Connection, topics: Topics) -> None:
    sink = FaultySink([])
    producer = Producer({**bootstrap.librdkafka(), "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(30)
    for number, end in enumerate([producer.abort_transaction, producer.commit_transaction]):
        producer.begin_transaction()
        producer.produce(
            topics.name("account.health"), codec("account.health").encode(health(f"a{number}")), b"demo:a"
        )
        producer.flush(30)
        end(30)

    with delivering(bootstrap, topics, sink):
        until(lambda: sink.taken)

    assert sink.taken == [health("a1")]


def test_missing_topics_are_named(bootstrap: Connection) -> None:
    with pytest.raises(DeliveryError, match=r"no topic nowhere-account\.health.*bellbuoy topics create"):
        run(bootstrap, Topics("nowhere-"), QUICK, [MemorySink()], committed(), threading.Event())


def test_topics_that_are_deleted_end_delivery(bootstrap: Connection, topics: Topics) -> None:
    failures: list[BaseException] = []

    def target() -> None:
        try:
            run(bootstrap, topics, QUICK, [MemorySink()], committed(), threading.Event())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    until(lambda: done(bootstrap, topics, MemorySink()))
    time.sleep(1)  # joined and fetching
    delete_topics(bootstrap, topics)
    thread.join(90)

    assert not thread.is_alive()
    assert "account.health" in str(failures[0])
    assert "bellbuoy topics create" in str(failures[0])


def test_a_sink_with_a_bug_stops_delivery_loudly(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    publish([health()])

    with pytest.raises(DeliveryError, match="delivery to faulty failed: ZeroDivisionError"):
        run(bootstrap, topics, QUICK, [FaultySink([ZeroDivisionError()])], committed(), threading.Event())


def test_killed_again_and_again_redis_holds_what_a_clean_run_leaves(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None], redis_url: str, tmp_path: Path
) -> None:
    killed = RedisSettings(url=redis_url, prefix=f"t{uuid.uuid4().hex[:8]}")
    clean = killed.model_copy(update={"prefix": f"{killed.prefix}clean"})
    outputs: list[Output] = []
    for n in range(1, 12_001):
        outputs.append(health(f"a{n % 300}", n, float(n % 90), owner="ann" if n % 3 else "ben"))
        if n % 10 == 0:
            change = ("opened", "updated", "resolved")[n // 10 % 3]
            outputs.append(alert(f"al{n // 100}", n, change, account_id=f"a{n // 100 % 300}"))
    writer = threading.Thread(target=publish, args=(outputs,))
    writer.start()
    role = role_settings(
        bootstrap, topics, tmp_path, delivery={"batch_records": 200}, redis=killed.model_dump()
    )
    process = ForkedRole("deliver", role, tmp_path / "log")
    client: Any = connect(killed)
    written = partial(client.xlen, Keys(killed.prefix).updates)

    for kills in range(4):
        process.start()
        try:
            seen = written()
            until(lambda seen=seen: written() > seen + 500)
            if kills == 3:
                writer.join()
                until(lambda: written() >= 12_000)
                until(lambda: done(bootstrap, topics, RedisSink(killed)))
                assert process.stop(30) == 0, process.log.read_text()
        finally:
            process.kill()
    sink = RedisSink(clean)
    sink.open()
    sink.write(outputs)

    left, right = RedisReader(killed), RedisReader(clean)
    assert left.riskiest("demo", 1000) == right.riskiest("demo", 1000)
    assert left.open_alerts("demo", 1000) == right.open_alerts("demo", 1000)
    for n in range(300):
        assert left.history("demo", f"a{n}", 1000) == right.history("demo", f"a{n}", 1000)
    changes = [(u.kind, u.account_id, u.alert_id, u.change, u.version) for u in left.updates("0", 100_000)]
    assert len(changes) == len(set(changes)) == len(right.updates("0", 100_000))


def test_redis_gone_and_back(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None], tmp_path: Path
) -> None:
    server = Redis(tmp_path / "redis")
    server.start()
    settings = RedisSettings(url=server.url)
    try:
        with delivering(bootstrap, topics, RedisSink(settings)):
            publish([health(f"a{n}", 1) for n in range(100)])
            until(lambda: len(RedisReader(settings).riskiest("demo", 1000)) == 100)
            os.kill(server.child.pid, signal.SIGKILL)
            until(lambda: not server.child.running)
            publish([health(f"a{n}", 2, 10.0) for n in range(200)])
            time.sleep(1.5)  # long enough for several attempts to fail
            server = Redis(tmp_path / "redis", port=server.port)
            server.start()
            until(lambda: len(RedisReader(settings).riskiest("demo", 1000)) == 200)

        assert {a.sequence for a in RedisReader(settings).riskiest("demo", 1000)} == {2}
    finally:
        server.stop()


def test_two_members_share_and_a_departure_loses_nothing(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    one, two = FaultySink([]), FaultySink([])
    outputs = [health(f"a{n % 50}", n) for n in range(1, 2001)]

    with delivering(bootstrap, topics, one):
        publish(outputs[:500])
        with delivering(bootstrap, topics, two):
            until(
                lambda: publish([health(f"z{n}", time.time_ns()) for n in range(20)]) or two.taken,
                seconds=120,
            )
            publish(outputs[500:1500])
            until(lambda: {o.sequence for o in one.taken + two.taken} >= set(range(1, 1501)))
        publish(outputs[1500:])
        until(lambda: {o.sequence for o in one.taken + two.taken} >= set(range(1, 2001)))


class HeldSink(FaultySink):
    """Sink that keeps positions, and does not say them while it is away."""

    def __init__(self) -> None:
        super().__init__([])
        self.away = threading.Event()
        self.asked: list[set[str]] = []

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        self.asked.append(set(parts))
        if self.away.is_set():
            raise SinkError("away")
        return {}

    def reached(self, positions: Mapping[str, int], /) -> None:
        pass

    def positions(self) -> dict[str, int]:
        return {}

    def entries(self) -> int:
        return 0

    def clear(self, _: Callable[[int], None], /) -> None:
        pass


def test_a_member_that_can_not_go_on_yet_gives_its_partitions_to_others(
    bootstrap: Connection, topics: Topics, publish: Callable[..., None]
) -> None:
    outputs = [health(f"a{n}", 1) for n in range(500)]
    publish(outputs)
    held, other = HeldSink(), HeldSink()
    held.away.set()

    with delivering(bootstrap, topics, held):
        until(lambda: len(held.asked) > 2)
        everything = held.asked[-1]
        with delivering(bootstrap, topics, other):
            until(lambda: other.taken and held.asked[-1] < everything)
            assert not held.taken
            held.away.clear()
            until(lambda: len(held.taken) + len(other.taken) >= 500)
        publish([health("later", 1)])
        until(lambda: held.account("demo", "later") and held.asked[-1] == everything)

    assert sorted(o.account_id for o in held.taken + other.taken) == sorted(
        o.account_id for o in [*outputs, health("later", 1)]
    )
