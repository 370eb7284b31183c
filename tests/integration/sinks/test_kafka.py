"""The Kafka sink: what consumers of the other cluster read, and a cluster that hangs or refuses a record."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress

import msgspec
import pytest

from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.records import AccountHealth
from sinks.kafka.settings import KafkaTargetSettings
from sinks.port import Rejected, Retaining, Sink, SinkError, SinkSettingsError, Subject
from tests.support.kafka_target import created, records, values
from tests.support.kernel_processes import suspend
from tests.support.output_records import AT, alert, health, kpis
from tests.support.waiting import until

MOCK = """
import sys, time
from confluent_kafka import Producer
cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
for topic in sys.argv[1:]:
    cluster.list_topics(topic, timeout=60)
print(*[f"127.0.0.1:{b.port}" for b in cluster.list_topics(timeout=60).brokers.values()], flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.services
def test_json_by_account_in_order_and_a_deletion_ends_with_null(bootstrap: Connection) -> None:
    settings = created(bootstrap)
    batch = [health("a1", 1), health("a2", 1), kpis("a1", {"x": 1.0}), alert(), health("a1", 2, deleted=True)]
    with closing(settings.sink()) as sink:
        sink.open()
        sink.write(batch)

    found = records(settings)
    assert [value for topic, key, value in found if topic == "account.health" and b"a1" in key] == [
        msgspec.json.encode(batch[0]),
        msgspec.json.encode(batch[4]),
        None,
    ]
    read = msgspec.json.decode(found[0][2] or b"", type=AccountHealth)
    assert read in batch
    assert {topic for topic, *_ in found} == {"account.health", "account.kpis", "risk.alerts"}


@pytest.mark.services
def test_avro_is_read_by_the_ids_of_the_file(bootstrap: Connection) -> None:
    settings = created(bootstrap, format="avro")
    with closing(settings.sink()) as sink:
        sink.write([health("a1")])

    ((topic, value),) = values(settings)
    assert codec(topic, committed()).decode(value) == health("a1")


@pytest.mark.services
def test_a_record_that_is_too_large_is_named_and_the_others_are_written(bootstrap: Connection) -> None:
    settings = created(bootstrap)
    batch = [health("a1"), health("huge", reasons=["x" * 2_000_000]), health("a2")]
    with closing(settings.sink()) as sink:
        with pytest.raises(Rejected) as rejected:
            sink.write(batch)
        assert rejected.value.index == 1
        del batch[1]
        sink.write(batch)

    assert {value for _, value in values(settings)} == {msgspec.json.encode(each) for each in batch}


@pytest.mark.conformance("erasure", sink="kafka_target")
@pytest.mark.services
@pytest.mark.parametrize("form", ["json", "avro"])
def test_an_erasure_ends_an_account_and_counts_what_names_a_person(bootstrap: Connection, form: str) -> None:
    settings = created(bootstrap, format=form)
    with closing(settings.sink()) as sink:
        sink.open()
        sink.write([health("amber", 1), health("amber", 2), alert("one", 3, account_id="amber")])
        sink.write([health("other", 1, owner="kim"), kpis("amber", {"x": 1.0}, 50)])
        before = records(settings)
        amber = Subject("demo", "amber", ("amber",), AT + 9)

        assert isinstance(sink, Retaining)
        assert sink.erase(amber, dry_run=True) == {"records": 3}
        assert records(settings) == before
        assert sink.erase(amber) == {"records": 3}
        until = sink.retained_until()
        assert until is not None
        assert until > AT
        assert sink.erase(Subject("demo", None, ("kim",), 0)) == {"records": 1}
        assert sink.erase(Subject("acme", None, ("kim",), 0)) == {"records": 0}
        sink.erase(amber)

    added = [each for each in records(settings) if each not in before]
    # Of KPIs there is one of after the erasure; what ended already needs no second null.
    assert sorted(added) == [("account.health", b"demo:amber", None), ("risk.alerts", b"demo:amber", None)]


@pytest.mark.services
def test_a_missing_topic_is_named(bootstrap: Connection) -> None:
    settings = KafkaTargetSettings(bootstrap=str(bootstrap), topic_prefix="nowhere-")
    with closing(settings.sink()) as sink, pytest.raises(SinkError, match=r"nowhere-account\.\w+.*create it"):
        sink.open()


def test_numbers_that_json_lacks_and_unknown_settings_are_refused() -> None:
    sink = KafkaTargetSettings(bootstrap="127.0.0.1:1").sink()
    with pytest.raises(Rejected, match="not a finite number"):
        sink.write([health("a1", score=float("nan"))])
    sink = KafkaTargetSettings.model_validate({"bootstrap": "b", "client": {"sasl.pasword": "x"}}).sink()
    with pytest.raises(SinkSettingsError, match=r"sasl\.pasword"):
        sink.open()


@pytest.fixture
def mock() -> Iterator[tuple[KafkaTargetSettings, subprocess.Popen[str]]]:
    """Yield a broker of librdkafka's own in a process, which can be stopped and goes on."""
    settings = KafkaTargetSettings(bootstrap="", timeout_seconds=1.0)
    topics = ["account.health", "account.kpis", "risk.alerts"]
    process = subprocess.Popen([sys.executable, "-c", MOCK, *topics], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield settings.model_copy(update={"bootstrap": process.stdout.readline().strip()}), process
    process.kill()
    process.wait()


def opens(sink: Sink) -> bool:
    """Open the sink; return whether its cluster answered in time."""
    with suppress(SinkError):
        sink.open()
        return True
    return False


@pytest.mark.conformance("away", sink="kafka_target")
@pytest.mark.conformance("hang", sink="kafka_target")
def test_a_cluster_that_hangs_gets_the_same_batch_later(
    mock: tuple[KafkaTargetSettings, subprocess.Popen[str]],
) -> None:
    settings, process = mock
    batch = [health(f"a{n}") for n in range(20)]
    with closing(settings.sink()) as sink:
        until(lambda: opens(sink))
        suspend(process.pid)
        for _ in range(2):
            with pytest.raises(SinkError, match="doesn't take records"):
                sink.write(batch)
        with pytest.raises(SinkError):
            settings.sink().open()
        process.send_signal(signal.SIGCONT)
        for _ in range(30):
            with suppress(SinkError):
                sink.write(batch)
                break
        else:
            pytest.fail("it never took the batch")
