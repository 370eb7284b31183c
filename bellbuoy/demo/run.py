"""`bellbuoy demo`: start everything, simulate a quarter, show it, and account for every event."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bellbuoy.demo.display import Display
from bellbuoy.demo.home import DemoCompany as Known
from bellbuoy.demo.home import clear, demo_settings, remember
from bellbuoy.demo.report import Baseline, DemoReport, baseline, draw_up
from bellbuoy.demo.watch import Watch
from bellbuoy.local.stack import Stack, StackError
from bellbuoy.operations.drain import wait_drained
from bellbuoy.operations.sinks import serving_reader, sinks
from bellbuoy.settings import Settings
from bellbuoy.simulator.run.clock import SimulationClock, last_time
from bellbuoy.simulator.run.follower import Follower
from bellbuoy.simulator.run.job import stop_on_signals
from bellbuoy.simulator.run.pace import step_limit
from bellbuoy.simulator.run.plan import plan
from bellbuoy.simulator.run.simulation import Progress, Simulation, wall_ms
from bellbuoy.simulator.wire.customer import CustomerKeys, GatewayCarrier
from bellbuoy.simulator.world.company import Company
from bellbuoy.simulator.world.truth import Truth
from schemas.times import DAY
from sinks.serving import Reader

__all__ = ["Demo", "DemoOptions", "run"]

_QUARTER = 90 * DAY
_CATCH_UP_SECONDS = 60.0
_CATCH_UP_SHARE = 0.75
"""Share of a bounded run in which the quarter passes; the rest is live."""

_DRAIN_SECONDS = 120.0
_EARLIER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to show; ``seconds`` bounds the run, else it goes on until a signal."""

    data: Path
    accounts: int = 200
    seed: int = 7
    per_seat: float = 0.25
    seconds: float | None = None
    fresh: bool = False
    tenant: str = "demo"


def run(
    options: DemoOptions, settings: Settings, say: Callable[[str], None], *, screen: bool
) -> tuple[DemoReport | None, bool]:
    """
    Run the demo; return its report when it was bounded, and whether the books balance.

    ``screen`` shows the live table on stdout, otherwise lines go to ``say``. Raises ConfigError,
    EmbeddedError, StackError, CarrierError, KafkaAwayError and NotDrainedError; everything is stopped then.
    """
    if options.fresh:
        clear(options.data)
    stack = Stack(demo_settings(settings, options.data), say=say)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        stack.start()
        outcome = asyncio.run(Demo(options, stack, say, screen=screen).run())
    except KeyboardInterrupt:
        outcome = None, True
    finally:
        signal.signal(signal.SIGTERM, before)
        stack.stop()
    say(f"Stopped; the data stay in {options.data}.")
    return outcome


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Demo:
    """One run on a started stack."""

    def __init__(
        self, options: DemoOptions, stack: Stack, say: Callable[[str], None], *, screen: bool
    ) -> None:
        self._options, self._stack, self._say = options, stack, say
        self._screen = screen
        self._settings = stack.settings
        self._at = stack.addresses
        self._topics = stack.settings.kafka.topics()
        self._sinks = sinks(stack.settings)
        self._truth = Truth()
        self._progress = Progress()

    async def run(self) -> tuple[DemoReport | None, bool]:
        """Simulate until the time is over or a signal comes; return a bounded run's report and verdict."""
        bootstrap, bounded = self._at.bootstrap, self._options.seconds is not None
        since: Baseline | None = None
        if bounded:
            await asyncio.to_thread(wait_drained, bootstrap, self._topics, self._sinks, _EARLIER_SECONDS)
            since = await asyncio.to_thread(baseline, bootstrap, self._topics)
        with serving_reader(self._settings) as reader:
            watch = Watch(reader)
            watch.start()
            try:
                await self._show_and_simulate(reader, watch)
                if since is None:
                    return None, True
                self._say("The simulation has ended; waiting until everything is through.")
                await asyncio.to_thread(wait_drained, bootstrap, self._topics, self._sinks, _DRAIN_SECONDS)
            finally:
                await asyncio.to_thread(watch.stop)
        receipt = self._progress.receipt
        report, faults = await asyncio.to_thread(
            draw_up, bootstrap, self._topics, since, watch.latencies, receipt.accepted, receipt.repeated
        )
        for fault in faults:
            self._say(f"bellbuoy: THE BOOKS DON'T BALANCE: {fault}")
        return report, not faults

    async def _show_and_simulate(self, reader: Reader, watch: Watch) -> None:
        keys = CustomerKeys.of(self._settings.gateway, self._options.tenant)
        carrier = GatewayCarrier(self._at.gateway, keys)
        follower = await asyncio.to_thread(Follower, self._at.bootstrap, self._topics)
        display = Display(self._options.tenant, self._truth, self._progress, reader, watch)
        try:
            simulation = await asyncio.to_thread(self._simulation, carrier, follower)
            with stop_on_signals() as stop:
                hint = _hint(self._at.gateway, keys.write_key, self._at.redis_url)
                names = {account.account_id: account.name for account in simulation.company.accounts}
                shown = asyncio.create_task(display.run(stop, self._say, hint, names, screen=self._screen))
                ended = asyncio.create_task(self._end(stop))
                try:
                    await simulation.run(stop)
                finally:
                    stop.set()
                    await shown
                    ended.cancel()
                    with suppress(asyncio.CancelledError):
                        await ended
        finally:
            await carrier.close()
            follower.close()
        if self._stack.failure:
            raise StackError(f"{self._stack.failure}\neverything was stopped; nothing accepted is lost")

    async def _end(self, stop: asyncio.Event) -> None:
        """Stop when the time is over or the stack has failed."""
        began, seconds = time.monotonic(), self._options.seconds
        while not stop.is_set():
            if self._stack.failed.is_set() or (seconds is not None and time.monotonic() - began >= seconds):
                stop.set()
            await asyncio.sleep(0.05)

    def _simulation(self, carrier: GatewayCarrier, follower: Follower) -> Simulation:
        options, now = self._options, wall_ms()
        known = remember(options.data, Known(options.seed, options.accounts, (now - _QUARTER) // DAY * DAY))
        latest = last_time(self._at.bootstrap, self._topics)
        where = plan(known.start, latest, same_company=True)
        if where.note:
            self._say(where.note)
        took = _CATCH_UP_SECONDS if options.seconds is None else _CATCH_UP_SHARE * options.seconds
        return Simulation(
            company=Company(options.seed, options.accounts, where.start, per_seat=options.per_seat),
            carrier=carrier,
            tick=SimulationClock(self._at.bootstrap, self._topics).tick,
            truth=self._truth,
            begin=where.begin,
            speed=max(1.0, (now - where.begin) / 1000 / took),
            limit=step_limit(self._settings.journal.future_minutes),
            reached=follower.poll,
            progress=self._progress,
        )


def _hint(gateway: str, write_key: str, redis_url: str) -> str:
    usual = redis_url == "redis://127.0.0.1:6379/0"
    explain = (
        "bellbuoy explain ACCOUNT" if usual else f"BELLBUOY_REDIS__URL={redis_url} bellbuoy explain ACCOUNT"
    )
    return "\n".join(
        [
            f"Gateway {gateway}   write key {write_key}   why a score is what it is: {explain}",
            (
                f"Your own events (once it is live): curl -u {write_key}: {gateway}/v1/track "
                """-d '{"userId":"me","event":"Hello","context":{"groupId":"my-company"}}'"""
            ),
            f'or with Segment\'s SDK: analytics.write_key = "{write_key}"; analytics.host = "{gateway}"',
        ]
    )
