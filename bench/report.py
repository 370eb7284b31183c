"""Report of a whole benchmark: tables for people, JSON for programs, and a picture."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.contenders import consume_only
from bench.cost import Cost
from bench.gateway import Accepted
from bench.latency import Latency
from bench.picture import bars
from bench.restore import Restored
from bench.sinks import SinkRate

__all__ = ["BenchReport"]

_DOCS = Path(__file__).parent.parent / "docs"
_OURS = "bellbuoy"
_ON_SAME_TOPIC = (_OURS, f"{_OURS}, 2 workers")
_GOALS = (("Kafka Streams", 1.5), ("Quix Streams", 10.0), ("Faust, idiomatic", 100.0), ("consume only", 0.5))


@dataclass(slots=True)
class BenchReport:
    """
    Results of a benchmark: the events a second of every contender and repeat, and our parts measured alone.

    A contender whose totals were wrong once (``exact``) is disqualified. ``restored`` is ``None`` in a short
    run.
    """

    events: int
    repeats: int
    accounts: int
    rates: dict[str, list[float]]
    exact: dict[str, bool]
    costs: list[Cost] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    sinks: list[SinkRate] = field(default_factory=list)
    encoded: dict[str, float] = field(default_factory=dict)
    restored: Restored | None = None

    def median(self, name: str) -> float:
        """Return a contender's median events a second."""
        return statistics.median(self.rates[name])

    def contenders(self) -> str:
        """Return the table of contenders, each compared with ours."""
        limit, ours = self.median(consume_only.LIMIT.name), self.median(_OURS)
        rows = [
            "| contender | events/s, median | lowest to highest | to consume only | bellbuoy is | exact |",
            "| --- | ---: | ---: | ---: | ---: | --- |",
        ]
        for name, rates in self.rates.items():
            middle = self.median(name)
            spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
            verdict = "yes" if self.exact[name] else "NO: disqualified"
            rows.append(
                f"| {name} | {middle:,.0f} | {spread} | {middle / limit:.2f} | "
                f"{ours / middle:.2f} times it | {verdict} |"
            )
        return "\n".join(rows)

    def goals(self) -> str:
        """
        Return the table that compares our best with the best of each engine, and with the goal.

        Envelopes are left out, as other engines can't read them.
        """
        ours, rows = self._best(_ON_SAME_TOPIC), []
        for engine, goal in _GOALS:
            best = self._best([name for name in self.rates if name.startswith(engine)])
            if ours is not None and best is not None:
                ratio = self.median(ours) / self.median(best)
                verdict = "met" if ratio >= goal else "not met"
                rows.append(f"| {ours} | {best} | {ratio:.2f} | {goal:g} | {verdict} |")
        return "\n".join(
            ["| ours | compared with | ratio | goal | |", "| --- | --- | ---: | ---: | --- |", *rows]
        )

    def _best(self, names: Iterable[str]) -> str | None:
        """Return the fastest of these contenders whose totals were all right."""
        right = [name for name in names if self.exact.get(name)]
        return max(right, key=self.median, default=None)

    def write(self) -> None:
        """Write ``docs/benchmarks.md``, ``.json`` and ``.svg``."""
        (_DOCS / "benchmarks.md").write_text(self._page())
        contenders = [
            {"name": name, "events_per_s": round(self.median(name)), "exact": self.exact[name]}
            for name in self.rates
        ]
        (_DOCS / "benchmarks.json").write_text(json.dumps({"contenders": contenders}, indent=1) + "\n")
        title = "One job, one machine: events a second, with right totals"
        right = {name: self.median(name) for name in self.rates if self.exact[name]}
        bars(_DOCS / "benchmarks.svg", title, "events a second, logarithmic", right, _OURS)

    def _page(self) -> str:
        machine = f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}"
        return f"""# Benchmarks

How many events a second Bellbuoy and other engines process, and what an event, an account and a request cost.
Written by `make bench`. A broker, the engine and the client that sends the load share one machine: {machine}.

![Events a second of every contender](benchmarks.svg)

## Contenders

{self.events:,} usage events, {self.accounts:,} accounts (Zipf 0.8), 4 partitions, lz4; {self.repeats}
repeats, one contender after the other on the same topic, start-up not counted.

{self.contenders()}

{self.goals()}

{_JOB}
## Cost by accounts and days

The wall time that an event takes, of a backlog of a million events through journal and worker. The more
accounts there are, the fewer events of each are in a batch, so an account is scored for fewer events at a
time; with a million accounts nearly every event has its account folded, scored, explained and stored.

| accounts | of them touched | days of events | µs an event | exact |
| ---: | ---: | ---: | ---: | --- |
{self._costs()}

## Latency

The time from received to readable in Redis, by `python -m bench.latency`: equally busy accounts with two
months of events, everything on this machine, the sender included.

| events/s | accounts | updates/s | p50 ms | p95 ms | p99 ms | highest ms | journal p50, p99 ms | cores busy |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |
{self._latencies()}

## The gateway

Segment calls to one gateway process, answered when Kafka has acknowledged them, by `python -m bench.gateway`.

| events a request | connections | events/s | events in a second of its processor time |
| ---: | ---: | ---: | ---: |
{self._accepted()}

## Sinks

Health records of busy accounts that each sink writes a second, in batches of 2,000, by
`python -m bench.sinks`. Client and server share one core; by processor seconds other work on it counts
little.

| sink | records/s | records/processor second |
| --- | ---: | ---: |
{self._sinks()}

## State

{self._state()}
"""

    def _costs(self) -> str:
        return "\n".join(
            f"| {one.accounts:,} | {one.touched:,} | {one.days} | {one.microseconds:.1f} | "
            f"{'yes' if one.exact else 'NO'} |"
            for one in self.costs
        )

    def _latencies(self) -> str:
        return "\n".join(
            f"| {one.rate:,} | {one.accounts:,} | {one.updates_per_s:,.0f} | "
            + " | ".join(f"{value:,.0f}" for value in one.redis)
            + f" | {one.journal[0]:,.0f}, {one.journal[2]:,.0f} | "
            + ", ".join(f"{name} {cores:.2f}" for name, cores in one.busy.items())
            + " |"
            for one in self.latencies
        )

    def _accepted(self) -> str:
        return "\n".join(
            f"| {one.batch:,} | {one.connections} | {one.events_per_s:,.0f} | {one.events_per_cpu_s:,.0f} |"
            for one in self.accepted
        )

    def _sinks(self) -> str:
        return "\n".join(
            f"| {one.name} | {one.by_clock:,.0f} | {one.by_processor:,.0f} |" for one in self.sinks
        )

    def _state(self) -> str:
        sizes = ", ".join(f"{name} {number:,.0f}" for name, number in self.encoded.items())
        lines = [
            f"Bytes of an account's state as encoded: {sizes} (what each is: `bench/workload/accounts.py`)."
        ]
        if (found := self.restored) is not None:
            lines.append(
                f"{found.accounts:,} {found.size} accounts were restored {found.seconds:.1f} s after the "
                f"worker began; they take {found.disk_bytes:,.0f} bytes each on the broker's disk, "
                f"compressed, and {found.memory_bytes:,.0f} in the worker's memory."
            )
        return "\n".join(lines)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


_JOB = """The job: decode the Avro event, count events and durations per account and day over 90 days, keep
the counts durably, emit every account that changed. The counts that an engine emitted and those in its
changelog must equal the load, in events and durations of every account, or it is disqualified. What each
does:

- *consume only* receives every record as a Python object with librdkafka's client.
- *fastavro loop* also decodes and counts in a dict, without an engine and without anything durable.
- *Quix Streams* and *Faust, idiomatic* do the job the way their documentation shows, with their defaults
  (Faust on uvloop). They are slow, so they take only the load's first 100,000 and 20,000 events, on topics of
  their own; time is measured from their first event to the last one committed.
- *Flink SQL* groups the whole load by account and day, through PyFlink, which only submits the query:
  mini-batches of a second or 20,000 events, local and global aggregation, state on the heap, and instead of a
  changelog a checkpoint every second on this machine's disk; a day leaves the state 90 days after its last
  change. Its JVM has counted the same events before; time is measured from when every task runs until
  the query has ended with its last checkpoint.
- *Kafka Streams* does it in Java with its DSL, on the whole load, with its defaults but for these: 64 MB of
  record cache, which together with state as bytes changed in place hardly ever asks RocksDB; a commit every
  second under both guarantees, because the default of exactly once (100 ms) writes more often than anyone
  needs, and that of at least once (30 s) would delay every updated account as long; the throughput
  collector. It steps over the fields it doesn't count, and its JVM has counted up to two million events of
  the load before.
- *bellbuoy* is the journal and the worker as two processes: decode, admit, dedupe, roll up, one transaction
  into the journal; fold into the daily buckets, score and explain every touched account, and one transaction
  for state changelog, health records, alerts and position. No other contender drops duplicates.
  A backlog is gathered for a second, or while the worker is busy, as Kafka Streams' cache gathers between
  commits.
- *bellbuoy, 2 workers* shares the four partitions between two workers, as its operator would on two cores.
- *bellbuoy, envelopes of 100* is the same on a topic of its own, with the same events in records of a hundred
  events of one partition; the other contenders can't read those.
"""
