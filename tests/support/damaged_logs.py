"""Damage to topics as accidents do it: made anew, head gone, tail gone, partitions added."""

from __future__ import annotations

import shutil
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from bellbuoy.local.embedded import Kafka
from bellbuoy.operations.kafka.topics import create_topics, topic_partitions
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.waiting import until


def make_anew(bootstrap: Connection, topics: Topics, topic: str) -> None:
    """Delete a topic (name on the broker) and create it again."""
    delete(bootstrap, topic)
    create_again(bootstrap, topics, topic)


def delete(bootstrap: Connection, topic: str) -> None:
    """Delete a topic (name on the broker)."""
    admin = AdminClient(bootstrap.librdkafka())
    admin.delete_topics([topic], operation_timeout=30)[topic].result(30)


def create_again(bootstrap: Connection, topics: Topics, topic: str) -> None:
    """Create a topic that was deleted just now."""

    def created() -> bool:
        try:
            return topic in create_topics(bootstrap, topics)
        except KafkaException:  # the broker still deletes it
            return False

    until(created, what=f"{topic} created")


def cut_head(bootstrap: Connection, topic: str, partition: int, before: int) -> None:
    """Delete the records before an offset."""
    admin = AdminClient(bootstrap.librdkafka())
    part = TopicPartition(topic, partition, before)
    admin.delete_records([part])[part].result(30)


def add_partitions(bootstrap: Connection, topic: str, partitions: int) -> None:
    """Add partitions to a topic; return once the broker tells of them: the controller answers earlier."""
    admin = AdminClient(bootstrap.librdkafka())
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)
    until(lambda: topic_partitions(bootstrap)[topic] == partitions, what=f"the new partitions of {topic}")


def cut_tails(kafka: Kafka, ends: Mapping[tuple[str, int], int]) -> None:
    """Kill the broker, remove what stands from these offsets on, as a power loss does, and start it again."""
    kafka.child.kill()
    for (topic, partition), end in ends.items():
        folder = kafka.folder / "logs" / f"{topic}-{partition}"
        for segment in sorted(folder.glob("*.log")):
            _truncate(segment, end)
        for other in [*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]:
            other.unlink()
    (kafka.folder / "logs" / "recovery-point-offset-checkpoint").unlink(missing_ok=True)
    (kafka.folder / "logs" / "replication-offset-checkpoint").unlink(missing_ok=True)
    shutil.rmtree(kafka.folder / "tmp", ignore_errors=True)
    kafka.start(120)
    time.sleep(0.5)


def _truncate(segment: Path, end: int) -> None:
    """Cut a segment before the first batch that begins at or after an offset."""
    data, at = segment.read_bytes(), 0
    while at + 12 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        if base >= end or length <= 0:
            break
        at += 12 + length
    segment.write_bytes(data[:at])
