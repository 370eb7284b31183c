"""
Where a sink goes on: at Kafka's committed offset, or earlier where the sink itself says that it holds less.

A sink that keeps its position beside its content loses both together: emptied, or put back to an older
copy, it is filled again from where it then stands. Kafka's offset counts as well, so that topics made
anew under a sink that was not are read from their beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.topics import Topics
from sinks.port import Positioned, Sink
from streams.delivery import metrics

__all__ = ["ResumePoint"]

Part = tuple[str, int]

_SECONDS = 5.0


class ResumePoint:
    """The standing of one sink; nothing to do for one that keeps no position."""

    def __init__(self, sink: Sink, topics: Topics) -> None:
        self._sink = sink if isinstance(sink, Positioned) else None
        self._name = sink.name
        self._topics = topics
        self._log = structlog.get_logger(__name__).bind(sink=sink.name)
        self.unknown = False

    @property
    def kept(self) -> bool:
        """Tell whether the sink keeps its position."""
        return self._sink is not None

    def ask(self) -> None:
        """Note that the sink must be asked before the next record is taken."""
        self.unknown = self.kept

    def starts(
        self, consumer: Consumer, parts: Iterable[Part], written: Mapping[Part, int]
    ) -> list[TopicPartition]:
        """
        Return the offset to go on from for each part; raise SinkError and KafkaException.

        ``written`` is what this member had written of its parts: to find less is a loss, and is told.
        """
        assert self._sink is not None
        asked = [TopicPartition(topic, number) for topic, number in sorted(parts)]
        stands = self._sink.resume(self._part(part.topic, part.partition) for part in asked)
        found = consumer.committed(asked, timeout=_SECONDS)
        for part in found:
            if part.error is not None:
                raise KafkaException(part.error)
            before = written.get((part.topic, part.partition), part.offset)
            part.offset = max(0, min(part.offset, stands[self._part(part.topic, part.partition)]))
            if part.offset < before:
                metrics.REFILLS.labels(self._name).inc()
                self._log.warning(
                    "The sink lost what it held; it is filled again from here.",
                    topic=part.topic,
                    partition=part.partition,
                    offset=part.offset,
                    was=before,
                )
        self.unknown = False
        return found

    def reached(self, written: Mapping[Part, int]) -> None:
        """Note in the sink how far parts are written; raise SetBackError and SinkError."""
        if self._sink is not None:
            self._sink.reached({self._part(*part): offset for part, offset in written.items()})

    def _part(self, topic: str, number: int) -> str:
        return f"{self._topics.plain(topic)}/{number}"
