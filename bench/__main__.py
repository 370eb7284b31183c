"""`make bench`: fill, run every contender in turn, repeat; print and write the table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path

from bellbuoy.embedded import Kafka
from bench.contenders import (
    consume_only,
    envelopes,
    fastavro_loop,
    flink,
    idiomatic_faust,
    kafka_streams,
    pipeline,
    quix,
)
from bench.load import fill

_CONTENDERS = (
    *consume_only.CONTENDERS,
    *fastavro_loop.CONTENDERS,
    *quix.CONTENDERS,
    *idiomatic_faust.CONTENDERS,
    *flink.CONTENDERS,
    *kafka_streams.CONTENDERS,
    *pipeline.CONTENDERS,
    *envelopes.CONTENDERS,
)
_DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Contenders side by side; start-up not counted."
    )
    parser.add_argument(
        "--quick", action="store_true", help="one million events twice, without Flink, and nothing written"
    )
    parser.add_argument("--accounts", type=int, default=10_000, help="accounts, by Zipf 0.8")
    chosen = parser.parse_args()
    events, repeats = (1_000_000, 2) if chosen.quick else (3_000_000, 3)
    contenders = [contender for contender in _CONTENDERS if contender.quick or not chosen.quick]
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    exact = dict.fromkeys(rates, True)
    with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka")
        kafka.start()
        try:
            for repeat in range(repeats):
                load = fill(kafka.bootstrap, events, chosen.accounts, seed=repeat)
                for contender in contenders:
                    outcome = contender.run(load.head(contender.share))
                    rates[contender.name].append(outcome.events / outcome.seconds)
                    exact[contender.name] &= outcome.exact
                    print(
                        f"{repeat + 1}/{repeats} {contender.name}: {rates[contender.name][-1]:,.0f} events/s"
                    )
        finally:
            kafka.stop()
    table = _table(rates, exact)
    print(f"\n{table}")
    if not chosen.quick:
        _write(table, rates, exact, events, repeats, chosen.accounts)


def _table(rates: dict[str, list[float]], exact: dict[str, bool]) -> str:
    limit = statistics.median(rates[consume_only.LIMIT.name])
    rows = ["| contender | events/s, median | least to most | ratio to consume only | exact |"]
    rows.append("| --- | ---: | ---: | ---: | --- |")
    for name, found in rates.items():
        middle = statistics.median(found)
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        verdict = "yes" if exact[name] else "NO: disqualified"
        rows.append(f"| {name} | {middle:,.0f} | {spread} | {middle / limit:.2f} | {verdict} |")
    return "\n".join(rows)


def _write(
    table: str,
    rates: dict[str, list[float]],
    exact: dict[str, bool],
    events: int,
    repeats: int,
    accounts: int,
) -> None:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = f"""# Benchmarks

Written by `make bench`. {events:,} usage events, {accounts:,} accounts (Zipf 0.8), 4 partitions, lz4, a
broker on the same machine ({machine}); {repeats} repeats, contenders in turn on the same topic, start-up not
counted.

{table}

The job: decode the Avro event, count events and durations per account and day over 90 days, keep that
durably, emit every account that changed. What an engine emitted and what its changelog holds must sum to the
load, events and durations of every account, or it is disqualified. What each does:

- *consume only* takes every record as a Python object with librdkafka's client.
- *fastavro loop* also decodes and counts in a dict, without an engine and without anything durable.
- *Quix Streams* and *Faust, idiomatic* do the job the way their documentation shows, with their defaults
  (Faust on uvloop). They are slow, so they take only the load's first 100,000 and 20,000 events, on topics of
  their own; time runs from their first event to the last one committed.
- *Flink SQL* groups the first 1,000,000 events by account and day, through PyFlink, which only submits the
  query: mini-batches of a second or 20,000 events, local and global aggregation, state on the heap, and
  instead of a changelog a checkpoint every second on this machine's disk; a day leaves the state 90 days
  after its last change. Its JVM has counted the same events before; time runs from when every task
  runs to when the query has ended with its last checkpoint.
- *Kafka Streams* does it in Java with its DSL, on the whole load, with the defaults but for: 64 MB of record
  cache, which with state as bytes changed in place keeps RocksDB out of the way; a commit every second under
  both guarantees, because exactly once with its 100 ms writes more often than anyone needs, and at least once
  with its 30 s would hold every updated account back as long; the throughput collector. It steps over the
  fields it doesn't count, and its JVM has counted up to two million events of the load before.
- *bellbuoy* is the journal and the worker as two processes: decode, admit, dedupe, roll up, one transaction
  into the journal; fold into the rings, score and explain every touched account, and one transaction for
  state changelog, health records, alerts and position. It alone drops duplicates.
- *bellbuoy, envelopes of 100* is the same on a topic of its own, to which the same events were written a
  hundred of a partition to a record; the others can't read those.

Latency at fixed rates, restore times and cost by number of accounts are not measured here yet.
"""
    (_DOCS / "benchmarks.md").write_text(text)
    contenders = [
        {"name": name, "events_per_s": round(statistics.median(found)), "exact": exact[name]}
        for name, found in rates.items()
    ]
    (_DOCS / "benchmarks.json").write_text(json.dumps({"contenders": contenders}, indent=1) + "\n")


if __name__ == "__main__":
    main()
