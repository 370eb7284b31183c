"""
Resume point of a sink: Kafka's committed offset, or the sink's own position where that is earlier.

A sink that keeps its positions together with its content loses both together: when it was emptied, or an
older copy of it came back, it is filled again from the position that it then has. Kafka's offset counts as
well: topics that were made anew under a sink that still holds the old content are read from their beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.topics import Topics
from sinks.port import Positioned, Sink
from streams.delivery import metrics
from streams.delivery.offsets import Part

__all__ = ["ResumePoint"]

_SECONDS = 5.0
"""How long Kafka may take to answer."""


class ResumePoint:
    """
    Resume point of one sink.

    ``unknown`` says that the sink must be asked before the next record is taken; never of a sink that keeps
    no positions, which goes on from Kafka's offsets.
    """

    def __init__(self, sink: Sink, topics: Topics) -> None:
        self._sink = sink if isinstance(sink, Positioned) else None
        self._name = sink.name
        self._topics = topics
        self._log = structlog.get_logger(__name__).bind(sink=sink.name)
        self.unknown = False

    @property
    def kept(self) -> bool:
        """Whether the sink keeps positions."""
        return self._sink is not None

    def ask(self) -> None:
        """Note that the sink must be asked before the next record is taken."""
        self.unknown = self.kept

    def starts(
        self, consumer: Consumer, parts: Iterable[Part], written: Mapping[Part, int]
    ) -> list[TopicPartition]:
        """
        Return the offset to go on from for each part; raise SinkError and KafkaException.

        ``written`` are the offsets that this member had written up to: an earlier one means that the sink
        lost content, which is logged and counted.
        """
        assert self._sink is not None
        asked = [TopicPartition(topic, number) for topic, number in sorted(parts)]
        positions = self._sink.resume(self._part(part.topic, part.partition) for part in asked)
        starts = consumer.committed(asked, timeout=_SECONDS)
        for part in starts:
            if part.error is not None:
                raise KafkaException(part.error)
            before = written.get((part.topic, part.partition), part.offset)
            part.offset = max(0, min(part.offset, positions[self._part(part.topic, part.partition)]))
            if part.offset < before:
                metrics.REFILLS.labels(self._name).inc()
                self._log.warning(
                    "The sink lost what it held: it is filled again from this offset.",
                    topic=part.topic,
                    partition=part.partition,
                    offset=part.offset,
                    was=before,
                )
        self.unknown = False
        return starts

    def reached(self, written: Mapping[Part, int]) -> None:
        """Let the sink store how far parts are written; raise SetBackError and SinkError."""
        if self._sink is not None:
            self._sink.reached({self._part(*part): offset for part, offset in written.items()})

    def _part(self, topic: str, number: int) -> str:
        return f"{self._topics.plain(topic)}/{number}"
