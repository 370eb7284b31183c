"""
The logs that the states of a partition belong to: the journal that they fold, their changelog, their outputs.

Every record of a position in the changelog says in headers which logs they are, and how far the journal had
read each input by then. So states, position and logs agree always, and where the journal is lost it can be
begun again exactly at the states (``bellbuoy recover journal``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

import msgspec
import structlog
from confluent_kafka import Consumer, TopicPartition

from processors.fold.partition import Batches
from processors.state.position import Position
from schemas.topics import Topics
from streams.kafka.cluster import Cluster
from streams.kafka.errors import LogChangedError
from streams.kafka.log_faults import LogFault, count_fault
from streams.kafka.log_inspector import Inspection, LogInspector
from streams.kafka.log_position import LOGS_HEADER, LogPosition, Part, decode_positions, encode_positions
from streams.kafka.log_reader import first_record

__all__ = ["StateLogs", "applied_offset", "inputs_read", "logs_of", "recovery_of_outputs", "state_headers"]

log = structlog.get_logger(__name__)

_INPUTS_HEADER = "inputs"
"""On a position: the offset to read next of each input (topic without prefix), as msgpack."""

_SECONDS = 10.0


def inputs_read(headers: Iterable[tuple[str, bytes]]) -> dict[str, int] | None:
    """Return how far each input was read at a position, from its headers; ``None`` in older records."""
    data = dict(headers).get(_INPUTS_HEADER)
    return None if data is None else msgspec.msgpack.decode(data, type=dict[str, int])


def state_headers(logs: Iterable[LogPosition], inputs: Mapping[str, int]) -> list[tuple[str, bytes]]:
    """Return the headers of a position: those of its logs, in the order of ``logs_of``, and its inputs."""
    return [
        (LOGS_HEADER, encode_positions(logs)),
        (_INPUTS_HEADER, msgspec.msgpack.encode(inputs)),
    ]


def logs_of(topics: Topics) -> tuple[str, ...]:
    """Return the topics whose positions are in the header, in its order: journal, changelog, outputs."""
    return topics.name("account.journal"), topics.changelog, *map(topics.name, _OUTPUTS)


_OUTPUTS = ("account.health", "account.kpis", "risk.alerts", "alert.notifications")


def recovery_of_outputs(faults: Iterable[LogFault]) -> str:
    """Return what an operator runs against faults of outputs."""
    missing = any(fault.kind == "deleted" for fault in faults)
    first = "run `bellbuoy topics create`, then " if missing else "run "
    return f"{first}`bellbuoy recover outputs --dry-run`"


def applied_offset(cluster: Cluster, number: int) -> int:
    """Return the journal's offset up to which the worker says that it has come; negative when unknown."""
    consumer = Consumer(
        {
            **cluster.connection.librdkafka(),
            "group.id": f"{cluster.topics.app_id}-applied",
            "log_level": 0,
        }
    )
    part = TopicPartition(cluster.topics.name("account.journal"), number)
    try:
        [applied] = consumer.committed([part], timeout=_SECONDS)
    finally:
        consumer.close()
    return int(applied.offset)


class StateLogs:
    """
    The logs of one partition's states, and the judgement whether they still are what they were.

    ``changelog_end`` is where the newest transaction ended in the changelog. ``output_faults`` are outputs
    made anew or cut, and stay until ``bellbuoy recover outputs`` was run.
    """

    def __init__(self, cluster: Cluster, number: int, headers: Sequence[tuple[str, bytes]]) -> None:
        self._cluster, self._number = cluster, number
        self._topics = cluster.topics
        self._journal, self._changelog, *_ = logs_of(cluster.topics)
        known = decode_positions(dict(headers).get(LOGS_HEADER, b""))
        names = zip_longest(logs_of(cluster.topics), known, fillvalue=LogPosition(0))
        self._known = {str(name): LogPosition(*at) for name, at in names}
        self._inputs = inputs_read(headers) or {}
        self.output_faults: list[LogFault] = []
        self._inspected = 0
        self.changelog_end = LogPosition(0)

    def headers(self, run: Batches) -> list[tuple[str, bytes]]:
        """Return the headers of the position that these batches bring the states to."""
        inputs = self._inputs
        for _, batch in run[-1:]:
            inputs = {source.topic: source.next for source in batch.offsets if source.next}
        self._inputs = inputs
        return state_headers(self._known.values(), inputs)

    def positions(self, position: Position) -> dict[Part, LogPosition]:
        """
        Return what to inspect while the states are at this position.

        The epoch that is known of the journal is that of its end at the last inspection. What was read beyond
        that end may be of a later epoch, so then the end itself is inspected; ``take`` compares the rest.
        Of the changelog, what was written since counts as well.
        """
        self._inspected = position.offset + 1
        journal = self._known[self._journal]
        if self._inspected <= journal.offset:
            journal = journal._replace(offset=self._inspected)
        changelog = max(self._known[self._changelog], self.changelog_end)
        known = self._known | {self._journal: journal, self._changelog: changelog}
        return {(name, self._number): at for name, at in known.items()}

    def require(self, inspector: LogInspector, position: Position, applied: int) -> None:
        """
        Inspect the logs when the states have just been restored; *applied* is ``applied_offset``.

        Raises LogChangedError when they are not the ones that the states came from.
        """
        self.take(inspector.inspect(self.positions(position), self._topics.partitions), position)
        if applied > position.offset + 1:
            self._stop(
                f"{self._changelog}/{self._number} holds the states at offset {position.offset + 1} of the "
                f"journal, and they had come to {applied}: it lost its tail or was made anew",
                "changelog",
            )

    def take(self, inspection: Inspection, position: Position) -> None:
        """
        Take the answer of an inspection; *position* is the states' present one.

        Raises LogChangedError when journal or changelog are not the ones that the states came from.
        """
        ours = [
            fault
            for fault in inspection.faults
            if fault.partition == self._number and fault.topic in self._known
        ]
        for fault in ours:
            if fault.topic == self._changelog:
                self._stop(fault.sentence, "changelog")
            if fault.topic == self._journal and fault.kind != "head_gone":
                self._stop(fault.sentence, "journal")
        end = inspection.ends.get((self._journal, self._number))
        if end is not None and self._inspected > end.offset:
            lost = self._inspected - end.offset
            self._stop(
                f"{self._journal}/{self._number} lost its last {lost} offsets before position "
                f"{self._inspected}",
                "journal",
            )
        if inspection.starts.get((self._changelog, self._number), 0) > 0:
            self._stop(f"{self._changelog}/{self._number} lost its head, and with it states", "changelog")
        if any(fault.topic == self._journal for fault in ours):
            self.require_next(position)
        outputs = [
            f for f in ours if f.topic not in (self._journal, self._changelog) and f.kind != "head_gone"
        ]
        for fault in outputs:
            if fault not in self.output_faults:
                count_fault(fault, self._topics.plain(fault.topic))
                log.error(
                    "Output topic lacks what was published: it is not the log that was written.",
                    topic=fault.topic,
                    partition=fault.partition,
                    fault=fault.kind,
                    action=recovery_of_outputs([fault]),
                )
        self.output_faults = outputs
        faulty = {fault.topic for fault in outputs}
        for (name, number), end in inspection.ends.items():
            if number == self._number and name in self._known and name not in faulty:
                self._known[name] = end

    def require_next(self, position: Position) -> None:
        """Raise LogChangedError when the batch after a position is not in the journal, and later ones are."""
        following = first_record(
            self._cluster.connection, self._journal, self._number, max(0, position.offset + 1)
        )
        if following is None:
            return
        sequence = self._cluster.codec("account.journal").decode(following.value).sequence
        if sequence > position.sequence + 1:
            self._stop(
                f"{self._journal}/{self._number}: batches {position.sequence + 1} to {sequence - 1} are gone "
                "and not applied",
                "journal" if position.sequence >= 0 else "changelog",
            )

    def stop_at_second(self, sequence: int, offset: int) -> None:
        """Raise LogChangedError: at this offset is another batch with the number of one that is applied."""
        self._stop(
            f"{self._journal}/{self._number} has a second batch {sequence} at offset {offset}", "journal"
        )

    def _stop(self, what: str, area: str) -> None:
        raise LogChangedError(f"{what}; run `bellbuoy recover {area} --dry-run`")
