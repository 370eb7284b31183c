"""
The request for the offset at which a leader epoch ends, which neither of the Kafka clients offers.

Protocol: OffsetForLeaderEpoch, key 23, version 3 (https://kafka.apache.org/protocol).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Int64, Schema, String
from aiokafka.structs import TopicPartition

from streams.kafka.log_position import Part

__all__ = ["UNKNOWN", "epoch_ends"]

UNKNOWN = (-1, -1)
"""The answer for an epoch that the log can't say anything about."""

_CONSUMER = -1
"""The replica id of whoever is no replica."""


class _Response(Response):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 23
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader_epoch", Int32),
                        ("end_offset", Int64),
                    ),
                ),
            ),
        ),
    )


class _RequestV3(RequestStruct):  # type: ignore[misc]
    API_KEY = 23
    API_VERSION = 3
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("replica_id", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("partition", Int32), ("current_leader_epoch", Int32), ("leader_epoch", Int32)),
                ),
            ),
        ),
    )


class _Request(Request[_RequestV3]):  # type: ignore[misc]
    API_KEY = 23

    def __init__(self, topics: list[tuple[str, list[tuple[int, int, int]]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_RequestV3]) -> _RequestV3:
        return request_struct_class(_CONSUMER, self._topics)


async def epoch_ends(client: AIOKafkaClient, epochs: Mapping[Part, int]) -> dict[Part, tuple[int, int]]:
    """
    Return, for each partition's epoch, the newest epoch up to it that the log has, and where that ends.

    ``UNKNOWN`` stands where the log knows no such epoch. A partition whose leader can't answer now is left
    out. Raises aiokafka's KafkaError.
    """
    by_leader: dict[int, dict[str, list[tuple[int, int, int]]]] = defaultdict(lambda: defaultdict(list))
    for (topic, partition), epoch in epochs.items():
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if leader is not None and leader != -1:
            by_leader[leader][topic].append((partition, -1, epoch))
    ends: dict[Part, tuple[int, int]] = {}
    for leader, topics in by_leader.items():
        answer: Any = await client.send(leader, _Request(list(topics.items())))
        for topic, partitions in answer.topics:
            for code, partition, epoch, end in partitions:
                if code == errors.NoError.errno:
                    ends[topic, partition] = epoch, end
    return ends
