"""A progress bar for a running simulation, and the text of its summary."""

from __future__ import annotations

import sys
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bellbuoy.simulator.run.simulate import SimulationRun
from schemas.times import iso

__all__ = ["SimulationProgress", "summary_lines"]

_REFRESH_SECONDS = 0.2


class SimulationProgress:
    """A progress bar on stderr, refreshed by a thread; shown where stderr is a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._shown = sys.stderr.isatty() and not quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[events]:,} events"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self._shown,
        )
        self._ended = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._bar.stop()

    def follow(self, run: SimulationRun) -> None:
        """Start to show this run; it is shown until the block ends."""
        if self._shown:
            self._bar.start()
            self._thread = Thread(target=self._refresh, args=[run], daemon=True)
            self._thread.start()

    def _refresh(self, run: SimulationRun) -> None:
        total = run.end - run.begin if run.events is None else run.events
        task = self._bar.add_task("", total=total, events=0)
        while not self._ended.wait(_REFRESH_SECONDS):
            now, events = run.progress.now, run.truth.delivered
            done = now - run.begin if run.events is None else events
            self._bar.update(task, completed=done, events=events, description=iso(now)[:10])


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """Return a run's summary as text for people."""
    bad = ", ".join(f"{count} {kind}" for kind, count in summary["bad"].items()) or "none"
    ended = "" if summary["complete"] else ", stopped early"
    lines = [
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
        lines.append(f"  sent again after an unclear answer: {summary['repeated']:,}")
    return lines
