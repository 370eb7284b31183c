"""The run of ``bellbuoy demo``: start everything, simulate a quarter, show it, account for every event."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bellbuoy.demo.display import DemoDisplay
from bellbuoy.demo.home import DemoCompany, clear_demo_data, demo_company, demo_settings
from bellbuoy.demo.report import Baseline, DemoReport, baseline, make_report
from bellbuoy.demo.watch import UpdateWatcher
from bellbuoy.local.stack import Addresses, Stack, StackError
from bellbuoy.operations.delivery.drain import wait_drained
from bellbuoy.operations.delivery.sinks import serving_reader, sinks
from bellbuoy.operations.kafka.cluster import kafka_cluster
from bellbuoy.settings import Settings
from bellbuoy.simulator.run.clock import SimulationClock, latest_time
from bellbuoy.simulator.run.follower import JournalFollower
from bellbuoy.simulator.run.pace import step_limit
from bellbuoy.simulator.run.plan import plan_simulation
from bellbuoy.simulator.run.signals import stop_on_signals
from bellbuoy.simulator.run.simulation import Progress, Simulation
from bellbuoy.simulator.wire.customer import CustomerKeys, GatewayCarrier
from bellbuoy.simulator.world.accounts import make_accounts
from bellbuoy.simulator.world.company import SimulatedCompany
from bellbuoy.simulator.world.truth import Truth
from bellbuoy.times import now as wall_clock
from schemas.times import DAY
from sinks.serving import Reader

__all__ = ["Demo", "DemoOptions", "run_demo"]

_QUARTER = 90 * DAY
_CATCH_UP_SECONDS = 60.0
_CATCH_UP_SHARE = 0.75
"""The share of a bounded run in which the quarter passes; the rest is live."""

_DRAIN_SECONDS = 120.0
_EARLIER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Options of a demo; ``seconds`` bounds the run, otherwise it goes on until a signal."""

    data: Path
    accounts: int = 200
    seed: int = 7
    per_seat: float = 0.25
    seconds: float | None = None
    fresh: bool = False
    tenant: str = "demo"


def run_demo(
    options: DemoOptions, settings: Settings, say: Callable[[str], None], *, screen: bool
) -> tuple[DemoReport | None, bool]:
    """
    Run the demo; return the report of a bounded run, and whether every event is accounted for.

    With ``screen`` it shows a live table on stdout, otherwise it calls ``say`` with lines. Raises
    ConfigError, EmbeddedError, StackError, CarrierError, KafkaAwayError and NotDrainedError, once
    everything is stopped.
    """
    if options.fresh:
        clear_demo_data(options.data)
    stack = Stack(demo_settings(settings, options.data), say=say)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        stack.start()
        result = asyncio.run(Demo(options, stack, say, screen=screen).run())
    except KeyboardInterrupt:
        result = None, True
    finally:
        signal.signal(signal.SIGTERM, before)
        stack.stop()
    say(f"Stopped; the data stay in {options.data}.")
    return result


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Demo:
    """One run of the demo on a started stack."""

    def __init__(
        self, options: DemoOptions, stack: Stack, say: Callable[[str], None], *, screen: bool
    ) -> None:
        self._options, self._stack, self._say = options, stack, say
        self._screen = screen
        self._settings = stack.settings
        self._addresses = stack.addresses
        self._kafka = kafka_cluster(stack.settings)
        self._sinks = sinks(stack.settings)
        self._truth = Truth()
        self._progress = Progress()

    async def run(self) -> tuple[DemoReport | None, bool]:
        """Simulate until the time is over or a signal comes; return as ``run_demo`` does."""
        bounded = self._options.seconds is not None
        since: Baseline | None = None
        if bounded:
            await asyncio.to_thread(wait_drained, self._kafka, self._sinks, _EARLIER_SECONDS)
            since = await asyncio.to_thread(baseline, self._kafka)
        with serving_reader(self._settings) as reader:
            watcher = UpdateWatcher(reader)
            watcher.start()
            try:
                await self._show_and_simulate(reader, watcher)
                if since is None:
                    return None, True
                self._say("The simulation has ended; waiting until every event is delivered.")
                await asyncio.to_thread(wait_drained, self._kafka, self._sinks, _DRAIN_SECONDS)
            finally:
                await asyncio.to_thread(watcher.stop)
        receipt = self._progress.receipt
        report, contradictions = await asyncio.to_thread(
            make_report,
            self._kafka,
            since,
            watcher.latencies,
            receipt.accepted,
            receipt.repeated,
        )
        for contradiction in contradictions:
            self._say(f"bellbuoy: NOT EVERY EVENT IS ACCOUNTED FOR: {contradiction}")
        return report, not contradictions

    async def _show_and_simulate(self, reader: Reader, watcher: UpdateWatcher) -> None:
        keys = CustomerKeys.of(self._settings.gateway, self._options.tenant)
        carrier = GatewayCarrier(self._addresses.gateway, keys)
        follower = await asyncio.to_thread(JournalFollower, self._kafka)
        display = DemoDisplay(self._options.tenant, self._truth, self._progress, reader, watcher)
        try:
            simulation = await asyncio.to_thread(self._simulation, carrier, follower)
            with stop_on_signals() as stop:
                hint = _hint(self._addresses, keys.write_key, self._stack.console_link())
                accounts = make_accounts(self._options.seed, self._options.accounts)
                names = {account.account_id: account.name for account in accounts}
                shown = asyncio.create_task(display.run(stop, self._say, hint, names, screen=self._screen))
                ended = asyncio.create_task(self._stop_in_time(stop))
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

    async def _stop_in_time(self, stop: asyncio.Event) -> None:
        """Set ``stop`` when the time is over or the stack has failed."""
        began, seconds = time.monotonic(), self._options.seconds
        while not stop.is_set():
            if self._stack.failed.is_set() or (seconds is not None and time.monotonic() - began >= seconds):
                stop.set()
            await asyncio.sleep(0.05)

    def _simulation(self, carrier: GatewayCarrier, follower: JournalFollower) -> Simulation:
        options, now = self._options, wall_clock()
        wanted = DemoCompany(options.seed, options.accounts, (now - _QUARTER) // DAY * DAY)
        company = demo_company(options.data, wanted)
        latest = latest_time(self._kafka)
        plan = plan_simulation(company.start, latest, same_company=True)
        if plan.note:
            self._say(plan.note)
        catch_up = _CATCH_UP_SECONDS if options.seconds is None else _CATCH_UP_SHARE * options.seconds
        return Simulation(
            company=SimulatedCompany(options.seed, options.accounts, plan.start, per_seat=options.per_seat),
            carrier=carrier,
            tick=SimulationClock(self._kafka).tick,
            truth=self._truth,
            begin=plan.begin,
            speed=max(1.0, (now - plan.begin) / 1000 / catch_up),
            limit=step_limit(self._settings.journal.future_minutes),
            reached=follower.poll,
            progress=self._progress,
        )


def _hint(addresses: Addresses, write_key: str, console: str) -> str:
    """Return what to try next; every command is whole in lines of less than 80 characters, to be pasted."""
    gateway = addresses.gateway
    moved = [f"{s.variable}={url}" for s, url in addresses.servers.items() if url != s.usual_url]
    return "\n".join(
        [
            "The console; this link signs you in, once:",
            f"  {console}",
            *([f"Alerts arrive in {addresses.inbox}: open it in a browser."] if addresses.inbox else []),
            f"Gateway {gateway}, write key {write_key}. Why a score is what it is:",
            *(f"  {one} \\" for one in moved),
            "  bellbuoy explain ACCOUNT",
            "An event of your own, once it is live (a Segment SDK takes the same key and host):",
            f"  curl -u {write_key}: {gateway}/v1/track \\",
            """  -d '{"userId":"me","event":"Hello","context":{"groupId":"my-company"}}'""",
        ]
    )
