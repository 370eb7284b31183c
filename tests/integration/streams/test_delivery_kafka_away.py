"""Delivery while its broker is killed and started again."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from bellbuoy.local.embedded import Kafka
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.kafka.topics import create_topics
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.memory import MemorySink
from streams.delivery.stage import run
from streams.settings import DeliverySettings
from tests.support.output_records import health
from tests.support.waiting import until

pytestmark = pytest.mark.services


def ready(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        found = json.loads(error.read())
    return found


def publish(bootstrap: Connection, topics: Topics, sequence: int) -> None:
    producer = Producer(bootstrap.librdkafka())
    for n in range(50):
        producer.produce(
            topics.name("account.health"),
            codec("account.health").encode(health(f"a{n}", sequence)),
            b"demo:a",
        )
    assert producer.flush(30) == 0


@pytest.mark.timeout(240)
def test_kafka_gone_and_back(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path / "kafka")
    kafka.start()
    topics = Topics("away-", partitions=2)
    create_topics(kafka.connection, topics)
    sink, stop, port = MemorySink(), threading.Event(), free_port()
    thread = threading.Thread(
        target=run,
        args=(
            kafka.connection,
            topics,
            DeliverySettings(metrics_port=port, session_seconds=6),
            [sink],
            committed(),
            stop,
        ),
    )
    thread.start()

    def holds(sequence: int) -> bool:
        found = [sink.account("demo", f"a{n}") for n in range(50)]
        return all(a is not None and a.sequence == sequence for a in found)

    try:
        publish(kafka.connection, topics, 1)
        until(lambda: holds(1))
        assert ready(port)["ready"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            metrics = answer.read().decode()
        for name in ("write_seconds_count", "batch_size_count", "last_success_timestamp_seconds"):
            assert f'bellbuoy_sink_{name}{{sink="memory"}}' in metrics
        assert 'bellbuoy_event_latency_seconds_count{stage="memory"}' in metrics

        os.kill(kafka.child.pid, signal.SIGKILL)
        until(lambda: "kafka" in ready(port)["failing"])
        kafka = Kafka(tmp_path / "kafka", port=kafka.port)
        kafka.start(60)
        until(lambda: ready(port)["ready"])
        publish(kafka.connection, topics, 2)
        until(lambda: holds(2))

        kafka.stop()
        until(lambda: "kafka" in ready(port)["failing"])
        stop.set()
        thread.join(60)
        assert not thread.is_alive()
    finally:
        stop.set()
        thread.join(30)
        kafka.stop()
