"""
What each cache saves, in microseconds of one core an account.

Every cache is switched off alone, by replacing one attribute (``CACHES`` names it), and the step that it
belongs to is timed with and without it, in turn. ``docs/adr/0014-caches-that-change-no-byte.md`` has the
figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

import msgspec

from bench import account, journal_steps
from bench.workload.accounts import SIZES, Size
from processors.fold import judge
from processors.fold.due import next_due
from processors.fold.evaluation_cache import Evaluation
from processors.intake import columnar_admission
from processors.scoring import score
from processors.state.encoding_cache import EncodingCache
from processors.view import View
from schemas.codec import record_codec, repeating_fields, repeating_items
from schemas.columnar import cell_encoder
from schemas.identity import keys

__all__ = ["CACHES", "Cache"]

Switch = Callable[[], AbstractContextManager[Any]]
Costs = Callable[[Size, int, int], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache: how to switch it off, what measures its steps, and which steps are its own."""

    name: str
    off: Switch
    steps: tuple[str, ...]
    costs: Costs = account.costs
    without: Costs | None = None
    on: Switch = nullcontext

    def compare(self, size: Size, count: int, rounds: int, repeats: int) -> dict[str, tuple[float, float]]:
        """Return the microseconds of each step with the cache and without it."""
        with_, without = [], []
        for _ in range(repeats):
            with self.on():
                with_.append(self.costs(size, count, rounds))
            with self.off():
                without.append((self.without or self.costs)(size, count, rounds))
        return {
            step: (median(costs[step] for costs in with_), median(costs[step] for costs in without))
            for step in self.steps
        }


def _in_own_process(size: Size, count: int, rounds: int, *, tracked: bool) -> dict[str, float]:
    """Return the cost of decoding and folding, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.tracked", size.name, str(count), str(rounds), str(int(tracked))]
    costs: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return costs


_encode = msgspec.msgpack.Encoder().encode
_HEALTH = ("worker: encode the health", "delivery: decode the health")


def _without_runs() -> AbstractContextManager[Any]:
    """Write and read the plain fields of a record with the reference codec, and its items as ever."""
    runs = repeating_fields.runs
    return patch.object(repeating_items, "runs", lambda fields, _: runs(fields, {fields[0]["name"]: False}))


def _without_names() -> AbstractContextManager[Any]:
    account = columnar_admission._account.__wrapped__  # noqa: SLF001 - the switch
    return patch.object(columnar_admission, "_account", account)


@contextmanager
def _without_names_and_partitions() -> Iterator[None]:
    plain = keys.partition_of.__wrapped__
    with _without_names(), patch.object(columnar_admission, "partition_of", plain):
        yield


CACHES = (
    Cache(
        "accounts kept as values",
        nullcontext,
        ("worker: fold",),
        without=partial(account.costs, keep=False),
    ),
    Cache("evaluation", lambda: patch.object(Evaluation, "holds_at", lambda *_: False), ("worker: fold",)),
    Cache(
        "View.later",
        lambda: patch.object(View, "later", lambda view, now, **_: View(view.state, now)),
        ("fold: evaluate what usage changed",),
    ),
    Cache(
        "due times but usage's",
        lambda: patch.object(Evaluation, "due", property(lambda it: next_due(it.view.state, it.view.now))),
        ("worker: fold",),
    ),
    Cache(
        "verdict",
        lambda: patch.object(
            judge, "verdict_on", lambda _, it, ends: score.weigh(it.plan, it.values, it.view, ends)
        ),
        ("worker: fold",),
    ),
    Cache(
        "results of plain terms",
        lambda: patch.object(score, "_plain_part", score._plain_part.__wrapped__),  # noqa: SLF001 - the switch
        ("fold: weigh",),
    ),
    Cache(
        "encoded state",
        lambda: patch.object(EncodingCache, "encode", lambda _, state: _encode(state)),
        ("worker: encode the state",),
    ),
    Cache(
        "repeating items",
        lambda: patch.object(record_codec, "_CACHED", {}),
        _HEALTH,
        on=_without_runs,
    ),
    Cache("repeating fields", _without_runs, _HEALTH),
    Cache(
        "accounts' names and partitions",
        _without_names,
        ("journal: sort",),
        costs=journal_steps.costs,
    ),
    Cache(
        "partitions of keys",
        _without_names_and_partitions,
        ("journal: sort",),
        costs=journal_steps.costs,
        on=_without_names,
    ),
    Cache(
        "accounts' names as written",
        lambda: patch.object(cell_encoder, "_account", cell_encoder._account.__wrapped__),  # noqa: SLF001
        ("journal: encode cells",),
        costs=journal_steps.costs,
    ),
    Cache(
        "no search for cycles (gc=False)",
        nullcontext,
        ("decode the state (if not kept)", "worker: fold"),
        costs=partial(_in_own_process, tracked=False),
        without=partial(_in_own_process, tracked=True),
    ),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench.caches", description="Microseconds that each cache saves.")
    parser.add_argument("--accounts", type=int, default=300, help="accounts in a batch")
    parser.add_argument("--rounds", type=int, default=9, help="batches")
    parser.add_argument("--repeats", type=int, default=3, help="runs with and without")
    parser.add_argument("--only", default="", help="part of a cache's name")
    chosen = parser.parse_args()
    print(f"{'microseconds an account':76}{'with':>8}{'without':>9}{'saved':>7}")
    for cache in CACHES:
        for size in SIZES if chosen.only in cache.name else ():
            compared = cache.compare(size, chosen.accounts, chosen.rounds, chosen.repeats)
            for step, (with_, without) in compared.items():
                line = f"{cache.name:32} {size.name:8} {step:34}"
                print(f"{line}{with_:>8.1f}{without:>9.1f}{1 - with_ / without:>7.0%}", flush=True)


if __name__ == "__main__":
    main()
