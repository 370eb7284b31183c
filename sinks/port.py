"""The one port every destination implements, and how a destination says no."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from schemas.records import AccountHealth, AccountKpis, RiskAlert

__all__ = ["Output", "Positioned", "Rejected", "SetBackError", "Sink", "SinkError"]

Output = AccountHealth | AccountKpis | RiskAlert


class SinkError(Exception):
    """The destination can't take the batch now; offer the same batch again after *retry_after* seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SetBackError(SinkError):
    """The destination is not where this writer left it: it was emptied, or an older copy of it came back."""


class Rejected(Exception):  # noqa: N818 - a verdict on one record, not a fault
    """The destination will never take this record of the batch; it is parked, the rest is offered again."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class Sink(Protocol):
    """
    A destination. Writes are idempotent by key and version, because redelivery is normal.

    ``name`` is its consumer group's last part and its metrics label.
    """

    name: str

    def open(self) -> None:
        """Connect and do once what every write will do; raise SinkError when the destination is away."""

    def write(self, batch: Sequence[Output], /) -> None:
        """Return once every record is durable there; otherwise raise SinkError or Rejected."""

    def close(self) -> None:
        """Let go of connections; called once, also after a failed open."""


@runtime_checkable
class Positioned(Protocol):
    """
    What a sink adds that keeps, beside its content, how far it was filled.

    Whatever takes content away takes its position along, so delivery notices and fills it again. A part
    is ``topic/partition``, the topic without prefix; a position is the offset to be written next.
    """

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """
        Return the position of each part, 0 where nothing of it was ever written; raise SinkError.

        From now on every write sees first that these positions stand, and raises SetBackError otherwise.
        """

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Note how far parts are written; with none, only see that all stand. Raises as a write does."""

    def positions(self) -> dict[str, int]:
        """Return the position of every part that was ever written; raise SinkError."""

    def entries(self) -> int:
        """Return how many entries there are to clear; raise SinkError."""

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """
        Remove everything, positions included; ``cleared`` hears how many entries went so far.

        Safe beside a running delivery: its writes are refused meanwhile, then it fills the sink again.
        Raises SinkError.
        """
