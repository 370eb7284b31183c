"""The port through which accepted records leave the gateway, and its implementation in memory for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["MemoryOutbox", "Outbox", "OutboxFullError", "OutboxUnavailableError", "OutgoingRecord"]


class OutgoingRecord(NamedTuple):
    """One record to send; ``topic`` includes the prefix, ``events`` is how many events the record holds."""

    topic: str
    key: bytes
    value: bytes
    events: int = 1


class OutboxUnavailableError(Exception):
    """
    The log did not confirm every record; some of them may be in it. The client sends all of them again.

    Operator action: see whether Kafka is up, reachable from here and has every topic.
    """


class OutboxFullError(Exception):
    """More events wait for the log's confirmation than the settings allow; the client tries again later."""


class Outbox(Protocol):
    """A durable log of records. Sending a record twice is harmless: its event id is the same."""

    async def open(self) -> None:
        """Open the outbox; the log need not be reachable yet."""

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """
        Return once every record is durable.

        Raises OutboxFullError at once, OutboxUnavailableError within the delivery timeout.
        """

    async def ready(self) -> str | None:
        """Return ``None`` when records can be sent, else what is missing."""

    async def close(self) -> None:
        """Wait for the records under way, then close the outbox."""


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
        """Return the reason while ``down``."""
        return "the log is down" if self.down else None

    async def close(self) -> None:
        """Do nothing."""
