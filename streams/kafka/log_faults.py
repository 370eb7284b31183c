"""The faults of a log: the ways in which it is another than the one that a position was taken from."""

from __future__ import annotations

from typing import Literal, NamedTuple

from prometheus_client import Counter

from streams.kafka.log_position import LogPosition, Part

__all__ = ["FAULTS", "OFFSETS_LOST", "FaultKind", "LogFault", "LogState", "count_fault", "fault_of"]

FaultKind = Literal["deleted", "made_anew", "head_gone", "tail_gone", "partitions_added"]
"""
What happened to a log.

* ``deleted``: there is no such topic.
* ``made_anew``: the topic was deleted and created again.
* ``head_gone``: records from the position on were deleted before they were read.
* ``tail_gone``: records before the position, the last ones at that time, are lost.
* ``partitions_added``: the topic has another number of partitions.
"""

FAULTS = Counter(
    "bellbuoy_log_faults_total",
    "Topics found made anew, cut, shortened, widened or deleted below a position.",
    ["topic", "kind"],
)
OFFSETS_LOST = Counter(
    "bellbuoy_log_offsets_lost_total", "Offsets of a topic deleted before they were read.", ["topic"]
)


class LogState(NamedTuple):
    """
    One partition of a topic as the broker has it now.

    ``epoch`` and ``epoch_end`` answer for the epoch of a position: the newest epoch up to that one that the
    log has, and the offset at which it ends; -1 where they are not known.
    """

    topic_id: bytes
    partitions: int
    start: int
    end: int
    epoch: int = -1
    epoch_end: int = -1


class LogFault(NamedTuple):
    """
    A position that the log of today doesn't fit.

    ``resume`` is the position from which all that the log has and the position's log had not can be read;
    ``lost`` is how many offsets are known to be lost, ``partitions`` how many partitions the topic has.
    """

    kind: FaultKind
    topic: str
    partition: int
    position: LogPosition
    resume: LogPosition
    lost: int = 0
    partitions: int = 0

    @property
    def can_be_read_on(self) -> bool:
        """Whether there is a log to read on in, from ``resume``."""
        return self.kind not in ("deleted", "partitions_added")

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        part, offset = f"{self.topic}/{self.partition}", self.position.offset
        return {
            "deleted": f"topic {self.topic} is gone",
            "made_anew": f"{part} was made anew: position {offset} is of another log",
            "head_gone": f"{part} begins at {self.resume.offset}: {self.lost} offsets from {offset} on were "
            "deleted before they were read",
            "tail_gone": f"{part} lost its last {self.lost} offsets before position {offset}",
            "partitions_added": f"topic {self.topic} has {self.partitions} partitions now",
        }[self.kind]


def fault_of(part: Part, position: LogPosition, log: LogState, partitions: int) -> LogFault | None:
    """Return what is wrong with a position in a log that must have so many partitions, or ``None``."""
    if log.partitions != partitions:
        return LogFault("partitions_added", *part, position, position, partitions=log.partitions)
    if position.topic_id and position.topic_id != log.topic_id:
        return LogFault("made_anew", *part, position, LogPosition(log.start, log.topic_id))
    if position.offset < log.start:
        resume = LogPosition(log.start, log.topic_id)
        return LogFault("head_gone", *part, position, resume, log.start - position.offset)
    end = log.end if position.epoch < 0 or log.epoch_end < 0 else log.epoch_end
    if position.offset > end:
        resume = LogPosition(max(end, log.start), log.topic_id, log.epoch)
        return LogFault("tail_gone", *part, position, resume, position.offset - end)
    return None


def count_fault(fault: LogFault, topic: str) -> None:
    """Count a fault under the topic's name without prefix."""
    FAULTS.labels(topic=topic, kind=fault.kind).inc()
    if fault.kind == "head_gone":
        OFFSETS_LOST.labels(topic=topic).inc(fault.lost)
