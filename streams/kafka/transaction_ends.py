"""
The completion of transactions whose end Kafka has not written to every partition.

Kafka ends a transaction with a marker in each partition that it wrote to. Where a partition has no leader
just then, the coordinator takes it for deleted and leaves the marker out
(``TransactionMarkerChannelManager``: "likely deleted already and hence can be skipped"), and the
transaction counts as ended all the same. Then readers stop before its first record there, until a later
transaction of the same id ends in that partition. That may be long. After a take-over it is too late: the
new owner has not seen the record, and its first commit makes the record visible after all.
``TransactionalProducer.close_log`` and ``TransactionEnds`` end such transactions on purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import structlog

from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import Part
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = ["TransactionEnds"]

log = structlog.get_logger(__name__)

_MOST_TIMES = 3
"""How often the end of one transaction is written: what is still open then is another producer's."""


class TransactionEnds:
    """
    Finds partitions in which producers have a transaction that ended elsewhere, and has them end it there.

    Call ``look`` every few seconds from one thread. A transaction counts as left open when two looks find it.
    """

    def __init__(self) -> None:
        self._open: dict[Part, tuple[int, int]] = {}

    def look(self, inspector: LogInspector, producers: Iterable[TransactionalProducer]) -> None:
        """Look where these producers have written of late; raise KafkaException when no broker answers."""
        writers: dict[Part, list[TransactionalProducer]] = defaultdict(list)
        for producer in producers:
            for part in producer.recent_parts():
                writers[part].append(producer)
        found: dict[Part, tuple[int, int]] = {}
        for part, offset in inspector.open_transactions(writers).items():
            before, times = self._open.get(part, (-1, -1))
            times = times + 1 if before == offset else 0
            found[part] = offset, times
            if 0 < times <= _MOST_TIMES:
                log.warning(
                    "Transaction ended once more: Kafka had left its end out here.",
                    topic=part[0],
                    partition=part[1],
                    offset=offset,
                )
                for producer in writers[part]:
                    producer.end_in(part)
        self._open = found
