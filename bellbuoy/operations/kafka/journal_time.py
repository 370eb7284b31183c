"""The journal's time, which is that of every change and act."""

from __future__ import annotations

from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.settings import Settings
from bellbuoy.times import now

__all__ = ["journal_time"]


def journal_time(settings: Settings) -> int:
    """Return the journal's present time, UTC milliseconds; raise KafkaAwayError."""
    if settings.journal.clock == "wall":
        return now()
    positions = read_positions(settings.kafka.connection(), settings.kafka.topics()).values()
    return max((position.written_at for position in positions), default=0)
