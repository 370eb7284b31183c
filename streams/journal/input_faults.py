"""The report of what happened to input topics: log lines, metrics, and the readiness condition ``inputs``."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

import structlog

from schemas.topics import Topics
from streams.kafka.errors import LogChangedError
from streams.kafka.log_faults import LogFault, count_fault
from streams.runtime.health import Health

__all__ = ["InputFaults"]

log = structlog.get_logger(__name__)

_TOLD_SECONDS = 60.0
"""How long readiness tells of a fault that the journal has dealt with."""

_MOVES = {
    "deleted": "run `bellbuoy topics create`; the journal then reads it from its beginning",
    "made_anew": "read from its beginning; what the old topic held unread must be sent again",
    "head_gone": "read on from there; what was deleted must be sent again, and retention.ms was too short",
    "tail_gone": "read on from there; what was lost before it was read must be sent again",
    "partitions_added": "keys have moved: stop its senders, then run `bellbuoy recover inputs --dry-run`",
}


class InputFaults:
    """Reporter of the input topics' faults; its methods may be called from any thread."""

    def __init__(self, health: Health, topics: Topics) -> None:
        self._health, self._topics = health, topics
        self._standing: set[str] = set()
        self._handled: dict[str, float] = {}
        self._lock = threading.Lock()

    def handled(self, fault: LogFault) -> None:
        """Report a fault after which a partition reads on from ``fault.resume``."""
        count_fault(fault, self._topics.plain(fault.topic))
        log.error(
            "Input topic is not the log that was read: it is read on from where it has what is new.",
            topic=fault.topic,
            partition=fault.partition,
            fault=fault.kind,
            position=fault.position.offset,
            resume=fault.resume.offset,
            lost=fault.lost,
            action=_MOVES[fault.kind],
        )
        with self._lock:
            self._handled[_in_words(fault)] = time.monotonic()
            self._set_condition()

    def standing(self, faults: Collection[LogFault]) -> None:
        """
        Report the faults that hold now and that the journal can't deal with.

        Raises LogChangedError where nothing can be read any more until an operator acts.
        """
        with self._lock:
            for fault in faults:
                if _in_words(fault) not in self._standing:
                    self._standing.add(_in_words(fault))
                    count_fault(fault, self._topics.plain(fault.topic))
                    log.error(
                        "Input topic can't be read.",
                        topic=fault.topic,
                        fault=fault.kind,
                        partitions=fault.partitions,
                        action=_MOVES[fault.kind],
                    )
            self._standing = {_in_words(fault) for fault in faults}
            self._set_condition()
        widened = {_in_words(fault) for fault in faults if fault.kind == "partitions_added"}
        if widened:
            raise LogChangedError("; ".join(sorted(widened)))

    def _set_condition(self) -> None:
        now = time.monotonic()
        self._handled = {text: at for text, at in self._handled.items() if now - at < _TOLD_SECONDS}
        told = sorted(self._standing | self._handled.keys())
        self._health.set_condition("inputs", not told, "; ".join(told))


def _in_words(fault: LogFault) -> str:
    return f"{fault.sentence}: {_MOVES[fault.kind]}"
