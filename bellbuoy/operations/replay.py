"""Fold the journal again beside the live state, a process a partition, and sum up what came of it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import Any

from bellbuoy.operations.replay_partition import ReplayJob, ReplayReport, Who, replay_partition
from bellbuoy.settings import Settings
from processors.model import Model
from schemas.times import DAY

__all__ = ["Replay", "replay"]

_LOOK_SECONDS = 0.2
_told: Any = None


@dataclass(frozen=True, slots=True)
class Replay:
    """The partitions' reports together, and how long they took."""

    reports: list[ReplayReport]
    seconds: float

    @property
    def begins(self) -> int:
        """Return the journal's first time, UTC milliseconds; 0: it is empty."""
        return min((r.begins for r in self.reports if r.batches), default=0)

    @property
    def ends(self) -> int:
        """Return the last time that was folded, UTC milliseconds."""
        return max((r.ends for r in self.reports), default=0)

    @property
    def whole(self) -> bool:
        """Tell whether the journal still begins where its partitions did, so that nothing is missing."""
        return not any(r.first for r in self.reports)

    @property
    def states(self) -> list[Who]:
        """Return the accounts whose state differs from live."""
        return sorted(account for r in self.reports for account in r.states)

    @property
    def alerts(self) -> list[str]:
        """Return the changes of alerts that differ from live."""
        return [alert for r in self.reports for alert in r.alerts]

    @property
    def days_per_minute(self) -> float:
        """Return how much history a minute folds, in days."""
        return (self.ends - self.begins) / DAY / (self.seconds / 60) if self.seconds else 0.0

    def total(self, name: str) -> int:
        """Return the sum of one of the reports' counters."""
        return sum(getattr(report, name) for report in self.reports)

    def bands(self) -> Counter[tuple[str, str]]:
        """Return how many accounts are in (band, band under the other model)."""
        return sum((r.bands for r in self.reports), Counter())

    def moved(self) -> list[tuple[str, str, str, str]]:
        """Return (tenant, account, band, band under the other model) where the bands differ."""
        return sorted(row for r in self.reports for row in r.moved)

    def opened(self) -> list[tuple[str, str, str, int, int]]:
        """Return (tenant, account, rule, alerts opened, opened under the other model) where they differ."""
        return sorted((*who, *counts) for r in self.reports for who, counts in r.opened.items())


def replay(
    settings: Settings,
    model: Model,
    *,
    since: int,
    until: int | None,
    other: Model | None,
    tenant: str | None,
    told: Callable[[int], None],
) -> Replay:
    """Fold every partition; ``told`` hears how many batches are done. Raises KafkaException."""
    candidate = None if other is None else other.text
    job = partial(
        ReplayJob, settings, model=model.text, since=since, until=until, other=candidate, tenant=tenant
    )
    jobs = [job(partition=partition) for partition in range(settings.kafka.partitions)]
    context = multiprocessing.get_context("spawn")
    progress: Any = context.Queue()
    done: dict[int, int] = {}
    began = time.monotonic()
    workers = min(len(jobs), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(progress,)) as pool:
        running = {pool.submit(_run, one) for one in jobs}
        results = set(running)
        while running:
            _, running = wait(running, _LOOK_SECONDS)
            _drain(progress, done)
            told(sum(done.values()))
    reports = sorted((result.result() for result in results), key=lambda report: report.partition)
    return Replay(reports, time.monotonic() - began)


def _begin(progress: Any) -> None:
    global _told  # noqa: PLW0603 - a pool hands a queue to its processes only as they begin
    _told = progress


def _run(job: ReplayJob) -> ReplayReport:
    last = 0.0

    def told(partition: int, batches: int) -> None:
        nonlocal last
        if time.monotonic() - last > _LOOK_SECONDS:
            last = time.monotonic()
            _told.put((partition, batches))

    return replay_partition(job, told)


def _drain(progress: Any, done: dict[int, int]) -> None:
    while True:
        try:
            partition, batches = progress.get_nowait()
        except Empty:
            return
        done[partition] = batches
