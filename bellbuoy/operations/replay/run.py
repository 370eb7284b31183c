"""Replay of the journal beside the live state, a process for each partition, and the sum of their reports."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import Any

from bellbuoy import logs
from bellbuoy.operations.replay.partition import AccountId, ReplayJob, ReplayReport, replay_partition
from bellbuoy.operations.replay.processes import started
from bellbuoy.settings import Settings
from processors.model import Model
from schemas.times import DAY

__all__ = ["Replay", "as_data", "comparison_data", "replay_journal"]

_PROGRESS_SECONDS = 0.2
_progress_queue: Any = None
"""In a process of the pool: where it reports how many batches it has folded."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The reports of all partitions, and how long they took."""

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
        """Return whether the journal still has every partition's first batch, so that nothing is missing."""
        return not any(r.first for r in self.reports)

    @property
    def states(self) -> list[AccountId]:
        """Return the accounts whose state differs from the live one."""
        return sorted(account for r in self.reports for account in r.states)

    @property
    def alerts(self) -> list[str]:
        """Return the changes of alerts that differ from the live ones."""
        return [alert for r in self.reports for alert in r.alerts]

    @property
    def owners(self) -> list[str]:
        """Return the rows of the owners' stage, and the notifications, that differ from the live ones."""
        return [each for r in self.reports for each in r.owners]

    @property
    def same_as_live(self) -> bool:
        """Whether all equals what is live, for a journal from which nothing is missing."""
        return self.whole and not self.states and not self.alerts and not self.owners

    @property
    def days_per_minute(self) -> float:
        """Return how many days of history are folded in a minute."""
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
        return sorted((*account, *counts) for r in self.reports for account, counts in r.opened.items())


def as_data(replayed: Replay, since: int) -> dict[str, Any]:
    """Return a replay as data for programs; ``since`` is the time from which it reports."""
    return {
        "from": since,
        "journal_begins": replayed.begins,
        "journal_ends": replayed.ends,
        "journal_whole": replayed.whole,
        "batches": replayed.total("batches"),
        "events": replayed.total("events"),
        "accounts": replayed.total("accounts"),
        "alert_changes": replayed.total("changes"),
        "same_as_live": replayed.same_as_live,
        "states_differ": replayed.states,
        "alerts_differ": replayed.alerts,
        "owners_differ": replayed.owners,
        "seconds": round(replayed.seconds, 3),
        "days_per_minute": round(replayed.days_per_minute, 3),
    }


def comparison_data(replayed: Replay, other: Model) -> dict[str, Any]:
    """Return what differs under the other model, as data for programs."""
    return {
        "model": {"name": other.name, "version": other.version},
        "bands": [{"band": a, "other": b, "accounts": n} for (a, b), n in sorted(replayed.bands().items())],
        "bands_differ": [
            {"tenant": tenant, "account_id": account, "band": band, "other": other_band}
            for tenant, account, band, other_band in replayed.moved()
        ],
        "alerts_opened_differ": [
            {"tenant": tenant, "account_id": account, "rule": rule, "opened": did, "other": would}
            for tenant, account, rule, did, would in replayed.opened()
        ],
    }


def replay_journal(
    settings: Settings,
    model: Model,
    *,
    since: int,
    until: int | None,
    other: Model | None,
    tenant: str | None,
    progress: Callable[[int], None],
) -> Replay:
    """
    Fold every partition again and compare the result with the live state, and with another model's.

    Reports what happened from ``since`` on and before ``until``, journal time in UTC milliseconds.
    ``progress`` is called with how many batches are folded so far. Raises KafkaException.
    """
    candidate = None if other is None else other.text
    job = partial(
        ReplayJob, settings, model=model.text, since=since, until=until, other=candidate, tenant=tenant
    )
    jobs = [job(partition=partition) for partition in range(settings.kafka.partitions)]
    queue: Any = multiprocessing.get_context("spawn").Queue()
    done: dict[int, int] = {}
    began = time.monotonic()
    with started(_replay, jobs, _begin_process, queue) as results:
        running = set(results)
        while running:
            _, running = wait(running, _PROGRESS_SECONDS)
            _take_progress(queue, done)
            progress(sum(done.values()))
    reports = sorted((result.result() for result in results), key=lambda report: report.partition)
    return Replay(reports, time.monotonic() - began)


def _begin_process(queue: Any) -> None:
    global _progress_queue  # noqa: PLW0603 - a pool hands a queue to its processes only as they begin
    logs.configure("warning", "command")  # standard output belongs to the answer, here as well
    _progress_queue = queue


def _replay(job: ReplayJob) -> ReplayReport:
    last = 0.0

    def progress(partition: int, batches: int) -> None:
        nonlocal last
        if time.monotonic() - last > _PROGRESS_SECONDS:
            last = time.monotonic()
            _progress_queue.put((partition, batches))

    return replay_partition(job, progress)


def _take_progress(queue: Any, done: dict[int, int]) -> None:
    while True:
        try:
            partition, batches = queue.get_nowait()
        except Empty:
            return
        done[partition] = batches
