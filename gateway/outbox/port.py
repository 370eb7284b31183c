"""Where accepted records go: the port, and a twin in memory for tests and dry runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["MemoryOutbox", "Outbox", "OutboxFullError", "OutboxUnavailableError", "OutgoingRecord"]


class OutgoingRecord(NamedTuple):
    """One record on its way; ``topic`` is the broker's name, prefix included, ``events`` what it holds."""

    topic: str
    key: bytes
    value: bytes
    events: int = 1


class OutboxUnavailableError(Exception):
    """
    The log did not confirm every record; some of them may be in it. Offer the same ones again.

    Operator action: see whether Kafka is up, reachable from here and has every topic.
    """


class OutboxFullError(Exception):
    """More events wait for the log's confirmation than the settings allow; offer them again."""


class Outbox(Protocol):
    """A durable log of records. A repeated record is harmless: its event id is the same."""

    async def open(self) -> None:
        """Start; does not wait for the log to be reachable."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """
        Return once every record is durable.

        Raises OutboxFullError at once, OutboxUnavailableError within the delivery timeout.
        """

    async def ready(self) -> str | None:
        """Return ``None`` when records can be sent, else what is missing."""

    async def close(self) -> None:
        """Wait for what is under way, then stop."""


class MemoryOutbox:
    """An outbox that keeps records in a list; ``down`` and ``full`` make it fail as Kafka would."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.down = False
        self.full = False

    async def open(self) -> None:
        """Do nothing."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Keep the records."""
        if self.full:
            raise OutboxFullError
        if self.down:
            raise OutboxUnavailableError
        self.records += records

    async def ready(self) -> str | None:
        """Return why not, while ``down``."""
        return "the log is down" if self.down else None

    async def close(self) -> None:
        """Do nothing."""
