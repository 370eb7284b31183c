"""An open transaction of a producer, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.connection import Connection
from streams.kafka.log_position import Part

__all__ = ["OpenTransaction"]


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """
    The first open transaction of a partition, which read-committed readers can't read past.

    ``offset`` is where it begins (Kafka's last stable offset), ``records`` how many offsets there are from
    there on, and ``seconds`` how long it has been open, as far as the reader knows.
    """

    offset: int
    records: int
    seconds: float

    def in_words(self, part: Part, connection: Connection) -> str:
        """Return what holds the records back, and what to do."""
        topic, partition = part
        return (
            f"{topic}/{partition} is held back at offset {self.offset}: a producer's transaction has been "
            f"open for {self.seconds:.0f} s, and {self.records} records wait. It ends with that producer's "
            f"transaction.timeout.ms; if not, `kafka-transactions --bootstrap-server {connection} "
            f"find-hanging --topic {topic}` names it, and `abort` ends it"
        )
