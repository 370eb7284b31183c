"""`bellbuoy simulate`: a company or plain load, run against a deployment."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bellbuoy.operations import topics as admin
from bellbuoy.settings import ConfigError, Settings
from bellbuoy.simulator.run.clock import SimulationClock, last_time
from bellbuoy.simulator.run.follower import Follower
from bellbuoy.simulator.run.pace import step_limit
from bellbuoy.simulator.run.plan import parse_start, plan
from bellbuoy.simulator.run.simulation import Progress, Simulation, run_load, wall_ms
from bellbuoy.simulator.wire.carrier import Carrier
from bellbuoy.simulator.wire.customer import CustomerKeys, GatewayCarrier
from bellbuoy.simulator.wire.direct import DirectCarrier
from bellbuoy.simulator.world.company import Company
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.world.load import load
from bellbuoy.simulator.world.truth import Truth
from schemas.times import DAY, iso

__all__ = ["SimulationOptions", "SimulationRun", "run_simulation", "stop_on_signals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """What to simulate; ``events`` asks for plain load instead of a company, ``rate`` bounds it."""

    accounts: int = 200
    days: int = 90
    speed: float = 129_600.0
    seed: int = 7
    per_seat: float = 0.25
    start: str | None = None
    direct: bool = False
    events: int | None = None
    rate: float = 0.0
    truth: Path | None = None
    gateway: str | None = None
    tenant: str = "demo"
    disorder: Disorder = field(default_factory=Disorder)


@dataclass(slots=True)
class SimulationRun:
    """A run under way, for whoever shows it: simulated times in UTC milliseconds, or a number of events."""

    truth: Truth
    progress: Progress
    begin: int = 0
    end: int = 0
    events: int | None = None


async def run_simulation(
    options: SimulationOptions,
    settings: Settings,
    say: Callable[[str], None],
    show: Callable[[SimulationRun], None],
) -> dict[str, Any]:
    """
    SimulationRun to the end or until a signal and return the summary.

    ``say`` hears what an operator must know, ``show`` sees the run as it begins. Raises ConfigError,
    CarrierError and KafkaAwayError.
    """
    tick, known = _clock(options, settings, say)
    carrier = _carrier(options, settings)
    run = SimulationRun(Truth(_open(options.truth)), Progress(), events=options.events)
    about = {"seed": options.seed, "accounts": options.accounts, "bad_reasons": dict(carrier.bad_reasons)}
    began = time.monotonic()
    try:
        await carrier.probe()
        with stop_on_signals() as stop:
            if options.events is None:
                await _company(options, settings, carrier, tick, run, known, say, show, stop)
            else:
                await _load(options, carrier, tick, run, known, show, stop)
            complete = not stop.is_set()
    finally:
        run.truth.close(**about)
        await carrier.close()
    seconds = time.monotonic() - began
    return run.truth.summary(**about) | {
        "repeated": run.progress.receipt.repeated,
        "complete": complete,
        "simulated_until": iso(run.progress.now),
        "seconds": round(seconds, 3),
        "events_per_second": round(run.truth.delivered / seconds),
    }


async def _company(
    options: SimulationOptions,
    settings: Settings,
    carrier: Carrier,
    tick: Callable[[int], None],
    run: SimulationRun,
    known: int | None,
    say: Callable[[str], None],
    show: Callable[[SimulationRun], None],
    stop: asyncio.Event,
) -> None:
    wanted = wall_ms() - options.days * DAY if options.start is None else parse_start(options.start)
    at = plan(wanted, known)
    if at.note:
        say(at.note)
    run.begin = run.progress.now = at.begin
    run.end = max(at.begin, at.start + options.days * DAY)
    show(run)
    follower = _follower(settings)
    simulation = Simulation(
        company=Company(options.seed, options.accounts, at.start, options.disorder, options.per_seat),
        carrier=carrier,
        tick=tick,
        truth=run.truth,
        begin=at.begin,
        speed=options.speed,
        limit=step_limit(settings.journal.future_minutes),
        reached=None if follower is None else follower.poll,
        progress=run.progress,
    )
    try:
        await simulation.run(stop, run.end)
    finally:
        if follower is not None:
            follower.close()


async def _load(
    options: SimulationOptions,
    carrier: Carrier,
    tick: Callable[[int], None],
    run: SimulationRun,
    known: int | None,
    show: Callable[[SimulationRun], None],
    stop: asyncio.Event,
) -> None:
    now = wall_ms() if known is None else max(known, wall_ms())
    run.progress.now = now
    show(run)
    tick(now)
    deliveries = load(options.seed, options.accounts, options.events or 0, now, options.disorder)
    await run_load(deliveries, carrier, run.truth, run.progress, stop, options.rate)
    tick(now + 1)


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; a second one ends the process as usual."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _clock(
    options: SimulationOptions, settings: Settings, say: Callable[[str], None]
) -> tuple[Callable[[int], None], int | None]:
    """Return the way to tell the time, and the latest time the deployment knows."""
    simulated = settings.journal.clock == "simulated"
    bootstrap, topics = settings.kafka.bootstrap, settings.kafka.topics()
    if options.direct or simulated:
        faults = admin.check(bootstrap, topics)
        if faults:
            raise ConfigError("the topics can't be used:\n" + "\n".join(f"  - {fault}" for fault in faults))
    if simulated:
        return SimulationClock(bootstrap, topics).tick, last_time(bootstrap, topics)
    if options.events is None:
        say(
            "journal.clock is wall: the journal takes these events as late ones of today. For a simulation "
            "with its own time, run the stack with BELLBUOY_JOURNAL__CLOCK=simulated."
        )
    return lambda _: None, None


def _follower(settings: Settings) -> Follower | None:
    if settings.journal.clock != "simulated":
        return None
    return Follower(settings.kafka.bootstrap, settings.kafka.topics())


def _carrier(options: SimulationOptions, settings: Settings) -> Carrier:
    if options.direct:
        return DirectCarrier(settings.kafka.bootstrap, settings.kafka.topics(), options.tenant)
    url = options.gateway or f"http://{settings.gateway.host}:{settings.gateway.port}"
    return GatewayCarrier(url, CustomerKeys.of(settings.gateway, options.tenant))


def _open(path: Path | None) -> IO[bytes] | None:
    try:
        return None if path is None else path.open("wb")
    except OSError as error:
        raise ConfigError(f"--truth: {path} can't be written: {error.strerror}") from None
