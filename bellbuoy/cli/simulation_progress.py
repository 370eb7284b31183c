"""How a simulation is shown while it runs, and summed up at its end."""

from __future__ import annotations

import sys
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bellbuoy.simulator.run.job import SimulationRun
from schemas.times import iso

__all__ = ["Show", "lines"]

_SECONDS = 0.2


class Show:
    """A progress bar on stderr, where that is a terminal; nothing elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._on = sys.stderr.isatty() and not quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[events]:,} events"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._on,
        )
        self._over = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._bar.stop()

    def run(self, run: SimulationRun) -> None:
        """Show this run until the end."""
        if self._on:
            self._bar.start()
            self._thread = Thread(target=self._follow, args=[run], daemon=True)
            self._thread.start()

    def _follow(self, run: SimulationRun) -> None:
        total = run.end - run.begin if run.events is None else run.events
        task = self._bar.add_task("", total=total, events=0)
        while not self._over.wait(_SECONDS):
            now, events = run.progress.now, run.truth.delivered
            done = now - run.begin if run.events is None else events
            self._bar.update(task, completed=done, events=events, description=iso(now)[:10])


def lines(summary: dict[str, Any]) -> list[str]:
    """Return a run's summary for people."""
    bad = ", ".join(f"{count} {kind}" for kind, count in summary["bad"].items()) or "none"
    ended = "" if summary["complete"] else ", stopped early"
    said = [
        (
            f"{summary['delivered']:,} events delivered in {summary['seconds']:.1f} s "
            f"({summary['events_per_second']:,} a second); simulated time {summary['simulated_until']}{ended}"
        ),
        f"  must count   {summary['applied']:,} ({summary['late']:,} of them late)",
        (
            f"  must not     {summary['duplicates']:,} duplicates, {summary['too_late']:,} too late, "
            f"{summary['from_future']:,} from the future; bad: {bad}"
        ),
    ]
    if summary["repeated"]:
        said.append(f"  offered again after an unclear answer: {summary['repeated']:,}")
    return said
