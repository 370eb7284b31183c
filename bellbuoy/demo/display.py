"""Display of a running demo: a refreshed screen, or lines where there is no terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

from rich.console import Console
from rich.live import Live

from bellbuoy.demo.screen import DemoSnapshot, alert_line, render_screen, snapshot_line
from bellbuoy.demo.watch import UpdateWatcher, percentile
from bellbuoy.simulator.run.simulation import Progress
from bellbuoy.simulator.world.truth import Truth
from bellbuoy.times import now as wall_clock
from schemas.records import AccountHealth
from sinks.serving import Reader, ReadError, Update

__all__ = ["DemoDisplay"]

_SCREEN_SECONDS = 0.5
_LINE_SECONDS = 2.0
_SCREEN_ACCOUNTS = 40
_MAX_OPEN_ALERTS = 1_000
_RISKIEST_READ = 150
_LIVE_LAG_MS = 5_000
_ALERTS_PER_LINE = 5


class DemoDisplay:
    """Shows the riskiest accounts; while the serving sink is away it shows the last ones read."""

    def __init__(
        self, tenant: str, truth: Truth, progress: Progress, reader: Reader, watch: UpdateWatcher
    ) -> None:
        self._names: Mapping[str, str] = {}
        self._tenant, self._truth, self._progress = tenant, truth, progress
        self._reader, self._watch = reader, watch
        self._before = (time.monotonic(), 0)
        self._riskiest: list[AccountHealth] = []
        self._open = 0
        self._last_alert: Update | None = None
        self._last_line = ""

    async def run(
        self,
        stop: asyncio.Event,
        say: Callable[[str], None],
        hint: str,
        names: Mapping[str, str],
        *,
        screen: bool,
    ) -> None:
        """
        Show the demo until ``stop`` is set: on the terminal, or line by line with ``say``.

        ``hint`` says how to try more; ``names`` are the customers' by account id.
        """
        self._names = names
        console = Console()
        pause = _SCREEN_SECONDS if screen else _LINE_SECONDS
        if not screen:
            say(hint)
        live = Live(console=console, screen=True, auto_refresh=False) if screen else nullcontext()
        with live:
            while not await _wait(stop, pause):
                snapshot = await asyncio.to_thread(self._snapshot, _SCREEN_ACCOUNTS if screen else 1)
                if isinstance(live, Live):
                    live.update(render_screen(snapshot, hint, console.height), refresh=True)
                else:
                    self._say_news(snapshot, say)

    def _snapshot(self, rows: int) -> DemoSnapshot:
        try:
            riskiest = self._reader.riskiest(self._tenant, _RISKIEST_READ)
            # A churned customer can't be kept any more, so nobody has to act on it.
            self._riskiest = [health for health in riskiest if health.stage != "churned"][:rows]
            self._open = len(self._reader.open_alerts(self._tenant, _MAX_OPEN_ALERTS))
        except ReadError:  # the screen stands still until the supervisor has dealt with a lost sink
            pass
        earlier, delivered = self._before
        self._before = (time.monotonic(), self._truth.delivered)
        latencies = self._watch.latencies.copy()
        return DemoSnapshot(
            now=self._progress.now,
            live=wall_clock() - self._progress.now < _LIVE_LAG_MS,
            delivered=self._truth.delivered,
            per_second=(self._truth.delivered - delivered) / max(0.001, self._before[0] - earlier),
            p50=percentile(latencies, 0.5),
            p99=percentile(latencies, 0.99),
            names=self._names,
            riskiest=self._riskiest,
            alerts=tuple(self._watch.alerts),
            open_alerts=self._open,
        )

    def _say_news(self, snapshot: DemoSnapshot, say: Callable[[str], None]) -> None:
        alerts = list(snapshot.alerts)
        fresh = alerts[alerts.index(self._last_alert) + 1 :] if self._last_alert in alerts else alerts
        for update in fresh[-_ALERTS_PER_LINE:]:
            say(alert_line(update, self._names))
        self._last_alert = alerts[-1] if alerts else None
        line = snapshot_line(snapshot)
        if line != self._last_line:  # in real time there may be nothing new for minutes
            say(line)
        self._last_line = line


async def _wait(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
