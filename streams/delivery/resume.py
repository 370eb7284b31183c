"""
Resume point of a sink: Kafka's committed offset, or the sink's own position where that is earlier.

A sink that keeps its positions together with its content loses both together: when it was emptied, or an
older copy of it came back, it is filled again from the position that it then has. Kafka's offset counts as
well, and says which log it is of: a topic that was made anew is read from its beginning, one that was cut
from where it begins, and one that lost its tail from where the lost one began. To write a record again
changes nothing in a sink, but in one that adds what it is given (``Appending``): of the same log it goes on
at the sink's own position, also where Kafka's offset is behind. A sink that people notice (``Once``) begins
at the end of its topics, as what is old would reach them as news.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException

from schemas.topics import Topics
from sinks.port import Appending, Once, Positioned, Sink
from streams.delivery import metrics
from streams.delivery.offsets import committed_positions
from streams.delivery.output_logs import OutputLogs
from streams.delivery.status import SinkStatus
from streams.kafka.log_faults import LogFault
from streams.kafka.log_position import LogPosition, Part

__all__ = ["ResumePoint"]


class ResumePoint:
    """
    Resume point of one sink.

    ``unknown`` says that sink and topics must be asked before the next record is taken.
    """

    def __init__(self, sink: Sink, topics: Topics, logs: OutputLogs, status: SinkStatus) -> None:
        self._sink = sink if isinstance(sink, Positioned) else None
        self._name, self._only_new = sink.name, isinstance(sink, Once)
        self._appends = isinstance(sink, Appending)
        self._topics, self._logs, self._status = topics, logs, status
        self.unknown = False

    def ask(self) -> None:
        """Note that sink and topics must be asked before the next record is taken."""
        self.unknown = True

    def starts(
        self, consumer: Consumer, parts: Iterable[Part], written: Mapping[Part, LogPosition]
    ) -> dict[Part, LogPosition]:
        """
        Return the position to go on from for each part.

        ``written`` are the positions that this member had written up to. What the sink or a topic lost is
        logged and counted. Raises SinkError, KafkaException, and LogChangedError.
        """
        asked = sorted(parts)
        held = {} if self._sink is None else self._sink.resume(self._part(*part) for part in asked)
        known = committed_positions(consumer, asked) | {p: written[p] for p in asked if p in written}
        inspection = self._logs.inspect({part: known.get(part, LogPosition(0)) for part in asked})
        faults = {(fault.topic, fault.partition): fault for fault in inspection.faults}
        starts = {}
        for part in asked:
            if part not in inspection.ends:
                gone = part in faults
                code = KafkaError.UNKNOWN_TOPIC_OR_PART if gone else KafkaError.LEADER_NOT_AVAILABLE
                raise KafkaException(KafkaError(code))
            first = LogPosition(inspection.starts[part], inspection.ends[part].topic_id)
            if self._only_new and part not in known:
                starts[part] = inspection.ends[part]
                continue
            starts[part] = self._start(
                part,
                first,
                inspection.ends[part].offset,
                known.get(part),
                faults.get(part),
                held.get(self._part(*part)),
            )
        self.unknown = False
        return starts

    def _start(
        self,
        part: Part,
        first: LogPosition,
        end: int,
        known: LogPosition | None,
        fault: LogFault | None,
        held: int | None,
    ) -> LogPosition:
        """
        Return where to go on in a part whose log reaches from ``first`` to ``end``.

        ``known`` is Kafka's position, and ``held`` the sink's.
        """
        if known is None:
            start, fault = first, None
            if held is not None and held > 0:  # Kafka deletes a group's offsets with their topic
                fault = LogFault("made_anew", *part, LogPosition(held), first)
        elif fault is not None:
            start = fault.resume
        else:
            start = known._replace(topic_id=first.topic_id)
            if self._appends and held is not None and start.offset < held <= end:
                start = LogPosition(held, first.topic_id)
        if fault is not None:
            self._status.reads_on(fault, self._topics.plain(part[0]))
        if held is not None and max(held, first.offset) < start.offset:
            start = first._replace(offset=max(held, first.offset))
            self._goes_back(part, start, known, lost=not self._appends or held == 0)
        return start

    def _goes_back(self, part: Part, start: LogPosition, known: LogPosition | None, *, lost: bool) -> None:
        """Say that records are delivered again; a sink that gathers may not have stored them yet."""
        about = {
            "topic": part[0],
            "partition": part[1],
            "offset": start.offset,
            "was": None if known is None else known.offset,
        }
        if lost:
            metrics.REFILLS.labels(self._name).inc()
            self._status.log.warning(
                "The sink lost what it held: it is filled again from this offset.", **about
            )
        else:
            self._status.log.info(
                "The sink had not stored all that it gathered: it is delivered again from this offset.",
                **about,
            )

    def reached(self, written: Mapping[Part, LogPosition]) -> None:
        """Let the sink store how far parts are written; raise SetBackError and SinkError."""
        if self._sink is not None:
            self._sink.reached({self._part(*part): at.offset for part, at in written.items()})

    def _part(self, topic: str, number: int) -> str:
        return f"{self._topics.plain(topic)}/{number}"
