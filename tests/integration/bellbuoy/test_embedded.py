from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from bellbuoy.local.embedded import EmbeddedError, Kafka, PortTakenError, Redis
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.topics import (
    KafkaAwayError,
    create_topics,
    delete_topics,
    topic_faults,
    topic_partitions,
)
from schemas.topics import Topics
from tests.support.kernel_processes import alive
from tests.support.waiting import until

pytestmark = pytest.mark.services


def test_topics_are_created_once_and_are_right(bootstrap: str, topics: Topics) -> None:
    assert create_topics(bootstrap, topics) == []
    assert topic_faults(bootstrap, topics) == []
    assert set(topic_partitions(bootstrap)) >= {spec.name for spec in topics.specs()}


def test_check_names_missing_topics_and_wrong_partitions(bootstrap: str, topics: Topics) -> None:
    missing = topic_faults(bootstrap, Topics("nobody-made-these-", 4))
    wrong = topic_faults(bootstrap, Topics(topics.prefix, 8))

    assert len(missing) == len(list(topics.specs()))
    assert "bellbuoy topics create" in missing[0]
    assert "has 4 partitions, not 8" in wrong[0]


def test_check_names_a_wrong_retention(bootstrap: str) -> None:
    topics = Topics(f"retention{free_port()}-", 1)
    create_topics(bootstrap, topics)
    name = topics.name("account.journal")
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.incremental_alter_configs([change]).values():
        future.result(10)

    until(lambda: topic_faults(bootstrap, topics))
    (fault,) = topic_faults(bootstrap, topics)
    assert f"topic {name} has retention.ms=1000" in fault
    delete_topics(bootstrap, topics)


def test_a_broker_that_is_away_is_said_so() -> None:
    with pytest.raises(KafkaAwayError, match=r"doesn't answer on 127.0.0.1:.*kafka.bootstrap"):
        topic_faults(f"127.0.0.1:{free_port()}", Topics(), seconds=1.0)


def test_kafka_keeps_its_data_through_a_stop_and_a_kill(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path / "kafka")
    topics = Topics("", 1)
    try:
        kafka.start()
        create_topics(kafka.bootstrap, topics)
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        producer.produce("usage.events", b"kept", partition=0)
        assert producer.flush(10) == 0
        kafka.stop()
        kafka.start()
        kafka.child.kill()
        kafka.start()
        assert topic_faults(kafka.bootstrap, topics) == []
        reader = Consumer(
            {"bootstrap.servers": kafka.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
        )
        reader.subscribe(["usage.events"])
        message = reader.poll(30)
        reader.close()
        assert message is not None
        assert message.value() == b"kept"
    finally:
        kafka.stop()


def test_redis_keeps_its_data_through_a_stop_and_a_kill(tmp_path: Path) -> None:
    server = Redis(tmp_path / "redis")
    try:
        server.start()
        redis.Redis.from_url(server.url).set("a", "1")
        server.stop()
        server.start()
        redis.Redis.from_url(server.url).set("b", "2")
        server.child.kill()
        server.start()
        assert redis.Redis.from_url(server.url, decode_responses=True).mget("a", "b") == ["1", "2"]
    finally:
        server.stop()


@pytest.mark.parametrize("server", [Kafka, Redis])
def test_a_taken_port_is_named_with_the_fix(server: type[Kafka | Redis], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} .*set the.setting"):
            server(tmp_path, port=port, fix="set the.setting").start()


@pytest.mark.parametrize("server", [Kafka, Redis])
def test_a_file_in_place_of_the_folder_is_named(server: type[Kafka | Redis], tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("not a directory")

    with pytest.raises(EmbeddedError, match=r"data can't be used for data .*BELLBUOY_DATA"):
        server(file).start()


def test_a_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from bellbuoy.local.embedded import Redis;"
        "server = Redis(Path(sys.argv[1])); server.start();"
        "print(server.child.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not alive(child))
