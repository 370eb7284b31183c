from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer

from bellbuoy.local.embedded import EmbeddedError, Kafka, PortTakenError, Redis
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.kafka.topics import (
    KafkaAwayError,
    create_topics,
    topic_advice,
    topic_faults,
    topic_partitions,
)
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.kernel_processes import alive
from tests.support.topic_settings import alter
from tests.support.waiting import until

pytestmark = pytest.mark.services


def test_topics_are_created_once_and_are_right(bootstrap: Connection, topics: Topics) -> None:
    assert create_topics(bootstrap, topics) == []
    assert topic_faults(bootstrap, topics) == []
    assert set(topic_partitions(bootstrap)) >= {spec.name for spec in topics.specs()}


def test_check_names_missing_topics_and_wrong_partitions(bootstrap: Connection, topics: Topics) -> None:
    missing = topic_faults(bootstrap, Topics("nobody-made-these-", 4))
    wrong = topic_faults(bootstrap, Topics(topics.prefix, 8))

    assert len(missing) == len(list(topics.specs()))
    assert "bellbuoy topics create" in missing[0]
    assert "has 4 partitions, not 8" in wrong[0]


def test_check_names_what_is_less_than_asked(bootstrap: Connection, topics: Topics) -> None:
    journal, changelog = topics.name("account.journal"), topics.changelog
    alter(bootstrap, journal, retention_ms="1000", max_message_bytes="1000")
    alter(bootstrap, changelog, cleanup_policy="compact,delete")
    faults = until(lambda: len(found := topic_faults(bootstrap, topics)) == 3 and found)
    told = "\n".join(faults)
    assert f"topic {journal} has retention.ms=1000, less than 34560000000: run `kafka-configs" in told
    assert f"topic {journal} has max.message.bytes=1000, less than 4194304" in told
    assert f"topic {changelog} has cleanup.policy=compact,delete, not compact" in told
    assert all(f"--bootstrap-server {bootstrap} --alter" in fault for fault in faults)


def test_an_operator_may_keep_more_for_longer(bootstrap: Connection, topics: Topics) -> None:
    alter(bootstrap, topics.name("account.journal"), retention_ms="-1", max_message_bytes="20000000")
    alter(bootstrap, topics.name("usage.events"), retention_ms=str(99 * 86_400_000), retention_bytes="-1")
    alter(bootstrap, topics.changelog, max_message_bytes="9000000", segment_ms="900000")
    time.sleep(1)
    assert topic_faults(bootstrap, topics) == []
    assert topic_advice(bootstrap, topics) == []


def test_topics_of_an_older_release_get_advice(bootstrap: Connection, topics: Topics) -> None:
    name = topics.name("usage.events")
    alter(bootstrap, name, message_timestamp_type="CreateTime")
    [advice] = until(lambda: topic_advice(bootstrap, topics))
    assert f"topic {name} has message.timestamp.type=CreateTime, not LogAppendTime: run" in advice
    assert topic_faults(bootstrap, topics) == []
    copied = Topics(topics.prefix, topics.partitions, replication=3)
    advised = [text for text in topic_advice(bootstrap, copied) if "min.insync" in text]
    assert len(advised) == len(list(topics.specs()))
    assert "has min.insync.replicas=1, less than 2: run" in advised[0]


def test_a_broker_that_is_away_is_said_so() -> None:
    with pytest.raises(KafkaAwayError, match=r"doesn't answer on 127.0.0.1:.*kafka.bootstrap"):
        topic_faults(Connection(f"127.0.0.1:{free_port()}"), Topics(), seconds=1.0)


def test_kafka_keeps_its_data_through_a_stop_and_a_kill(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path / "kafka")
    topics = Topics("", 1)
    try:
        kafka.start()
        create_topics(kafka.connection, topics)
        producer = Producer(kafka.connection.librdkafka())
        producer.produce("usage.events", b"kept", partition=0)
        assert producer.flush(10) == 0
        kafka.stop()
        kafka.start()
        kafka.child.kill()
        kafka.start()
        assert topic_faults(kafka.connection, topics) == []
        reader = Consumer(
            {**kafka.connection.librdkafka(), "group.id": "reader", "auto.offset.reset": "earliest"}
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
