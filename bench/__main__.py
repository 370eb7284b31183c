"""The command of ``make bench``: measure each contender, then our parts alone; print and write results."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TypeVar

from bench import cost, gateway, latency, restore, sinks
from bench.contenders import (
    Contender,
    consume_only,
    envelopes,
    fastavro_loop,
    flink,
    idiomatic_faust,
    kafka_streams,
    pipeline,
    quix,
)
from bench.processes.broker import broker
from bench.report import BenchReport
from bench.workload.accounts import SIZES
from bench.workload.load import fill

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
_LATENCY_RUNS = (((10, 2_000, 20_000), 1_000), ((20_000,), 300), ((20_000,), 100))
_LATENCY_SECONDS = 20.0
_RESTORED_ACCOUNTS = 100_000

T = TypeVar("T")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Contenders side by side, start-up not counted; then ours alone."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="measure a million events once, without Flink and without our parts alone; write no file",
    )
    parser.add_argument("--accounts", type=int, default=10_000, help="how many accounts, by Zipf 0.8")
    chosen = parser.parse_args()
    events, repeats = (1_000_000, 1) if chosen.quick else (3_000_000, 3)
    contenders = [contender for contender in _CONTENDERS if contender.quick or not chosen.quick]
    names = [contender.name for contender in contenders]
    report = BenchReport(
        events, repeats, chosen.accounts, {name: [] for name in names}, dict.fromkeys(names, True)
    )
    _measure_contenders(contenders, report)
    print(f"\n{report.contenders()}\n\n{report.goals()}\n", flush=True)
    if not chosen.quick:
        _measure_parts(report)
        report.write()


def _measure_contenders(contenders: list[Contender], report: BenchReport) -> None:
    with broker() as (kafka, _):
        for repeat in range(report.repeats):
            load = fill(kafka.connection, report.events, report.accounts, seed=repeat)
            for contender in contenders:
                result = contender.run(load.head(contender.share))
                rate = result.events / result.seconds
                report.rates[contender.name].append(rate)
                report.exact[contender.name] &= result.exact
                print(f"{repeat + 1}/{report.repeats} {contender.name}: {rate:,.0f} events/s", flush=True)


def _measure_parts(report: BenchReport) -> None:
    report.costs = _printed(cost.measure())
    for rates, accounts in _LATENCY_RUNS:
        report.latencies += _printed(latency.measure(rates, accounts, _LATENCY_SECONDS))
    report.accepted = _printed(gateway.measure())
    report.sinks = _printed(sinks.measure())
    report.encoded = restore.encoded_bytes()
    [report.restored] = _printed([restore.measure(_RESTORED_ACCOUNTS, SIZES[1])])


def _printed(results: Iterable[T]) -> list[T]:
    """Print each result when it comes, and return all of them."""
    kept = []
    for result in results:
        print(result, flush=True)
        kept.append(result)
    return kept


if __name__ == "__main__":
    main()
