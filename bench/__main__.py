"""`make bench`: every contender in turn, again and again, then ours alone; print, write and draw it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TypeVar

from bench import cost, gateway, latency, restore
from bench.accounts import SIZES
from bench.broker import broker
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
from bench.load import fill
from bench.report import Report

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
_LATENCIES = (((10, 2_000, 20_000), 1_000), ((20_000,), 300), ((20_000,), 100))
_LATENCY_SECONDS = 20.0
_RESTORED = 100_000

T = TypeVar("T")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Contenders side by side, start-up not counted; then ours alone."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one million events once, without Flink; nothing else or written",
    )
    parser.add_argument("--accounts", type=int, default=10_000, help="accounts, by Zipf 0.8")
    chosen = parser.parse_args()
    events, repeats = (1_000_000, 1) if chosen.quick else (3_000_000, 3)
    contenders = [contender for contender in _CONTENDERS if contender.quick or not chosen.quick]
    names = [contender.name for contender in contenders]
    report = Report(
        events, repeats, chosen.accounts, {name: [] for name in names}, dict.fromkeys(names, True)
    )
    _contend(contenders, report)
    print(f"\n{report.contenders()}\n\n{report.goals()}\n", flush=True)
    if not chosen.quick:
        _alone(report)
        report.write()


def _contend(contenders: list[Contender], report: Report) -> None:
    with broker() as (kafka, _):
        for repeat in range(report.repeats):
            load = fill(kafka.bootstrap, report.events, report.accounts, seed=repeat)
            for contender in contenders:
                outcome = contender.run(load.head(contender.share))
                rate = outcome.events / outcome.seconds
                report.rates[contender.name].append(rate)
                report.exact[contender.name] &= outcome.exact
                print(f"{repeat + 1}/{report.repeats} {contender.name}: {rate:,.0f} events/s", flush=True)


def _alone(report: Report) -> None:
    report.costs = _told(cost.measure())
    for rates, accounts in _LATENCIES:
        report.latencies += _told(latency.measure(rates, accounts, _LATENCY_SECONDS))
    report.accepted = _told(gateway.measure())
    report.encoded = restore.encoded_bytes()
    [report.restored] = _told([restore.measure(_RESTORED, SIZES[1])])


def _told(found: Iterable[T]) -> list[T]:
    """Print each as it comes, and keep it."""
    kept = []
    for one in found:
        print(one, flush=True)
        kept.append(one)
    return kept


if __name__ == "__main__":
    main()
