"""Ground truth of a simulation: hidden states, the disorder put in, and the totals that must result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO, Any, Protocol

import msgspec

from bellbuoy.simulator.world.delivery import Delivery, topic_of
from schemas.times import DAY

__all__ = ["Truth", "TruthSource"]

_JSON = msgspec.json.Encoder()


class TruthSource(Protocol):
    """
    A source of deliveries with its truth; ``start`` is UTC milliseconds.

    The truth is the fields of a line for each account, and of a line for each account and day.
    """

    start: int

    def deliveries(self) -> Iterator[Delivery]:
        """Yield the deliveries in the order of time."""

    def account_truth(self) -> Iterator[dict[str, Any]]:
        """Yield the truth about each account."""

    def day_truth(self, day: int) -> Iterator[dict[str, Any]]:
        """Yield the truth about a day of the simulation, counted from 0."""


class Truth:
    """
    Counts of the delivered events and, given a file, the ground truth as JSON lines.

    Lines have a ``type``: ``account`` and ``day`` (of a simulated company an account's hidden state on a UTC
    day, with ``previous`` on the day of a change; of a world the account's line is its fate, and there are no
    days) while the simulation runs, ``summary`` at the end. The summary's
    ``per_account`` are the events that must count: neither duplicate nor bad, too late or too early.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file
        self._day = 0
        self.delivered = 0
        self.by_topic: Counter[str] = Counter()
        self.by_kind: Counter[str] = Counter()
        self.bad: Counter[str] = Counter()
        self.per_account: Counter[str] = Counter()

    def count(self, deliveries: Iterable[Delivery]) -> None:
        """Count deliveries that were acknowledged."""
        for delivery in deliveries:
            self.delivered += 1
            self.by_topic[topic_of(delivery.event)] += 1
            self.by_kind[delivery.kind] += 1
            if delivery.kind in ("clean", "late"):
                self.per_account[delivery.event.account_id] += 1
            if delivery.bad is not None:
                self.bad[delivery.bad] += 1

    def write_accounts(self, company: TruthSource, day: int) -> None:
        """Write a line for each account; the ``day`` lines begin with this day of the simulation."""
        self._day = day
        for fields in company.account_truth():
            self._line("account", **fields)

    def write_days(self, company: TruthSource, now: int) -> None:
        """Write the hidden states of every day that began before ``now`` (UTC milliseconds)."""
        while self._file is not None and company.start + self._day * DAY < now:
            for fields in company.day_truth(self._day):
                self._line("day", **fields)
            self._day += 1

    def summary(self, **about: Any) -> dict[str, Any]:
        """Return the counts as fields of the summary line, after the fields ``about`` the run."""
        return about | {
            "delivered": self.delivered,
            "applied": self.by_kind["clean"] + self.by_kind["late"],
            "late": self.by_kind["late"],
            "duplicates": self.by_kind["duplicate"],
            "bad": dict(sorted(self.bad.items())),
            "too_late": self.by_kind["too_late"],
            "from_future": self.by_kind["from_future"],
            "by_topic": dict(sorted(self.by_topic.items())),
        }

    def close(self, **about: Any) -> None:
        """Write the summary line and close the file."""
        self._line("summary", **self.summary(**about), per_account=dict(sorted(self.per_account.items())))
        if self._file is not None:
            self._file.close()
            self._file = None

    def _line(self, kind: str, **fields: Any) -> None:
        if self._file is not None:
            self._file.write(_JSON.encode({"type": kind} | fields) + b"\n")
