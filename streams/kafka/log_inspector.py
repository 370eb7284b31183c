"""An inspector of logs: what topics and partitions are now, and whether positions in them still hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from confluent_kafka import IsolationLevel, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # they are re-exported

from schemas.connection import Connection
from streams.kafka.aiokafka_connection import aiokafka_options
from streams.kafka.answer import answer
from streams.kafka.errors import LEADER_UNKNOWN, TOPIC_UNKNOWN
from streams.kafka.leader_epochs import UNKNOWN, epoch_ends
from streams.kafka.log_faults import LogFault, LogState, fault_of
from streams.kafka.log_position import ID_BYTES, LogPosition, Part

__all__ = ["Inspection", "LogInspector", "TopicState"]

_EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_SECONDS = 10.0
"""How long one request may take; the client says so itself, if its future is given longer."""


class TopicState(NamedTuple):
    """A topic as the broker has it: the first bytes of its id, and its number of partitions."""

    topic_id: bytes
    partitions: int


class Inspection(NamedTuple):
    """
    The answer to the question whether positions still hold.

    ``starts`` and ``ends`` are the present ones of the logs that could answer; an end is a position that can
    be inspected later.
    """

    faults: list[LogFault]
    starts: dict[Part, int]
    ends: dict[Part, LogPosition]


class LogInspector:
    """
    A client that asks the broker about logs.

    Every method raises KafkaException when no broker answers. What can't be answered for a moment, as while a
    partition has no leader, counts as right: the next inspection sees it.
    """

    def __init__(self, connection: Connection) -> None:
        self._admin = AdminClient({**connection.librdkafka(), "log_level": 0})
        self._aiokafka_options = aiokafka_options(connection)

    def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Return the topics of these names that exist."""
        asked = sorted(set(names))
        if not asked:
            return {}
        found = {}
        futures = self._admin.describe_topics(TopicCollection(asked), request_timeout=_SECONDS)
        for name, future in futures.items():
            try:
                topic = answer(future, _SECONDS)
            except KafkaException as error:
                if error.args[0].code() not in TOPIC_UNKNOWN:
                    raise
            else:
                bits = topic.topic_id.get_most_significant_bits() % 2**64
                found[name] = TopicState(bits.to_bytes(8, "big")[:ID_BYTES], len(topic.partitions))
        return found

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return those of the names of which there is no topic, sorted."""
        asked = set(names)
        return sorted(asked - set(self.topics(asked)))

    def starts(self, parts: Iterable[Part]) -> dict[Part, int]:
        """Return the first offset of each partition that answers."""
        return {part: offset for part, (offset, _) in self._offsets(parts, _EARLIEST).items()}

    def open_transactions(self, parts: Iterable[Part]) -> dict[Part, int]:
        """Return, for each partition with an open transaction, the offset at which the first one begins."""
        asked = list(parts)
        stable = self._offsets(asked, _LATEST, IsolationLevel.READ_COMMITTED)
        ends = self._offsets(asked, _LATEST)
        return {part: at for part, (at, _) in stable.items() if part in ends and at < ends[part][0]}

    def inspect(self, positions: Mapping[Part, LogPosition], partitions: int) -> Inspection:
        """Return what is wrong with positions in topics that must have so many partitions."""
        topics = self.topics(topic for topic, _ in positions)
        parts = [part for part in positions if part[0] in topics and part[1] < topics[part[0]].partitions]
        starts, ends = self.starts(parts), self._offsets(parts, _LATEST)
        epochs = self._epoch_ends({p: positions[p].epoch for p in parts if positions[p].epoch >= 0})
        inspection = Inspection([], starts, {})
        for part, position in positions.items():
            topic = topics.get(part[0])
            if topic is None:
                inspection.faults.append(LogFault("deleted", *part, position, LogPosition(0)))
            elif part in starts and part in ends and (position.epoch < 0 or part in epochs):
                end, epoch = ends[part]
                state = LogState(
                    topic.topic_id, topic.partitions, starts[part], end, *epochs.get(part, UNKNOWN)
                )
                inspection.ends[part] = LogPosition(end, topic.topic_id, epoch)
                if (fault := fault_of(part, position, state, partitions)) is not None:
                    inspection.faults.append(fault)
        return inspection

    def _offsets(
        self, parts: Iterable[Part], spec: Any, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[Part, tuple[int, int]]:
        """Return offset and leader epoch of one end of each partition that has a leader."""
        asked = {TopicPartition(*part): spec for part in parts}
        found: dict[Part, tuple[int, int]] = {}
        if not asked:
            return found
        for part, future in self._admin.list_offsets(
            asked, isolation_level=isolation, request_timeout=_SECONDS
        ).items():
            try:
                result = answer(future, _SECONDS)
            except KafkaException as error:
                reason = error.args[0]
                if not (reason.retriable() or reason.code() in LEADER_UNKNOWN | TOPIC_UNKNOWN):
                    raise
            else:
                epoch = -1 if result.leader_epoch is None else result.leader_epoch
                found[part.topic, part.partition] = result.offset, epoch
        return found

    def _epoch_ends(self, epochs: Mapping[Part, int]) -> dict[Part, tuple[int, int]]:
        async def ask() -> dict[Part, tuple[int, int]]:
            client = AIOKafkaClient(**self._aiokafka_options, request_timeout_ms=int(_SECONDS * 1000))
            try:
                await client.bootstrap()
                await client.set_topics({topic for topic, _ in epochs})
                return await epoch_ends(client, epochs)
            finally:
                await client.close()

        if not epochs:
            return {}
        try:
            return asyncio.run(ask())
        except errors.KafkaError:
            return {}
