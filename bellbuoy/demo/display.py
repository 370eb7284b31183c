"""Keep the demo's screen, or its lines, up to date."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

from rich.console import Console
from rich.live import Live

from bellbuoy.demo.screen import Moment, alert_line, line, render
from bellbuoy.demo.watch import Watch, percentile
from bellbuoy.simulator.run.simulation import Progress, wall_ms
from bellbuoy.simulator.world.truth import Truth
from schemas.records import AccountHealth
from sinks.serving import Reader, ReadError, Update

__all__ = ["Display"]

_SCREEN_SECONDS = 0.5
_LINE_SECONDS = 2.0
_ROWS = 40
_OPEN = 1_000
_ASKED = 150
_LIVE_MS = 5_000
_ALERTS_A_TIME = 5


class Display:
    """Display of what is worst now; while the serving sink is away the last answer stays."""

    def __init__(self, tenant: str, truth: Truth, progress: Progress, reader: Reader, watch: Watch) -> None:
        self._names: Mapping[str, str] = {}
        self._tenant, self._truth, self._progress = tenant, truth, progress
        self._reader, self._watch = reader, watch
        self._before = (time.monotonic(), 0)
        self._riskiest: list[AccountHealth] = []
        self._open = 0
        self._told: Update | None = None
        self._said = ""

    async def run(
        self,
        stop: asyncio.Event,
        say: Callable[[str], None],
        hint: str,
        names: Mapping[str, str],
        *,
        screen: bool,
    ) -> None:
        """Show until told to stop, on the terminal or line by line to ``say``; ``names`` by account id."""
        self._names = names
        console = Console()
        pause = _SCREEN_SECONDS if screen else _LINE_SECONDS
        if not screen:
            say(hint)
        live = Live(console=console, screen=True, auto_refresh=False) if screen else nullcontext()
        with live:
            while not await _over(stop, pause):
                moment = await asyncio.to_thread(self._moment, _ROWS if screen else 1)
                if isinstance(live, Live):
                    live.update(render(moment, hint, console.height), refresh=True)
                else:
                    self._say(moment, say)

    def _moment(self, rows: int) -> Moment:
        try:
            worst = self._reader.riskiest(self._tenant, _ASKED)
            # Who has left can't be kept any more: not news, and no work for anyone.
            self._riskiest = [health for health in worst if health.stage != "churned"][:rows]
            self._open = len(self._reader.open_alerts(self._tenant, _OPEN))
        except ReadError:  # the hint of its absence is that nothing moves; the supervisor sees to the rest
            pass
        then, delivered = self._before
        self._before = (time.monotonic(), self._truth.delivered)
        latencies = self._watch.latencies.copy()
        return Moment(
            now=self._progress.now,
            live=wall_ms() - self._progress.now < _LIVE_MS,
            delivered=self._truth.delivered,
            per_second=(self._truth.delivered - delivered) / max(0.001, self._before[0] - then),
            p50=percentile(latencies, 0.5),
            p99=percentile(latencies, 0.99),
            names=self._names,
            riskiest=self._riskiest,
            alerts=tuple(self._watch.alerts),
            open_alerts=self._open,
        )

    def _say(self, moment: Moment, say: Callable[[str], None]) -> None:
        alerts = list(moment.alerts)
        fresh = alerts[alerts.index(self._told) + 1 :] if self._told in alerts else alerts
        for update in fresh[-_ALERTS_A_TIME:]:
            say(alert_line(update, self._names))
        self._told = alerts[-1] if alerts else None
        said = line(moment)
        if said != self._said:  # in real time there may be nothing new for minutes
            say(said)
        self._said = said


async def _over(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
