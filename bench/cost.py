"""Cost of an event by the number of accounts and by the days over which its events lie."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from bench.contenders import pipeline
from bench.processes.broker import broker
from bench.workload.load import fill

__all__ = ["Cost", "measure"]

_EVENTS = 1_000_000
_ACCOUNTS = (1_000, 100_000, 1_000_000)
_DAYS = (7, 90)


@dataclass(frozen=True, slots=True)
class Cost:
    """The microseconds of wall time an event of a backlog takes, and how many accounts it touched."""

    accounts: int
    touched: int
    days: int
    microseconds: float
    exact: bool

    def __str__(self) -> str:
        wrong = "" if self.exact else ", WRONG TOTALS"
        return (
            f"{self.accounts:,} accounts ({self.touched:,} touched), events of {self.days} days: "
            f"{self.microseconds:.1f} µs an event{wrong}"
        )


def measure(events: int = _EVENTS) -> Iterator[Cost]:
    """Run journal and worker through a backlog of each shape; yield each one's cost."""
    for accounts in _ACCOUNTS:
        for days in _DAYS:
            # A new broker for each: one that still compacts the last run's million keys would be slower.
            with broker() as (kafka, _):
                load = fill(kafka.connection, events, accounts, seed=1, days=days)
                result = pipeline.run(load)
            cost = result.seconds / result.events * 1e6
            yield Cost(accounts, len(load.totals), days, cost, result.exact)


def main() -> None:
    """Print a line for each shape."""
    parser = argparse.ArgumentParser(prog="bench.cost", description="Microseconds an event, by accounts.")
    parser.add_argument("--events", type=int, default=_EVENTS)
    for cost in measure(parser.parse_args().events):
        print(cost, flush=True)


if __name__ == "__main__":
    main()
