"""The run of ``bellbuoy simulate``: a company, or plain load, sent to a running deployment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bellbuoy.errors import ConfigError
from bellbuoy.operations.kafka.cluster import kafka_cluster
from bellbuoy.operations.kafka.topics import require_topics
from bellbuoy.settings import Settings
from bellbuoy.simulator.run.clock import SimulationClock, latest_time
from bellbuoy.simulator.run.follower import JournalFollower
from bellbuoy.simulator.run.pace import step_limit
from bellbuoy.simulator.run.plan import parse_start, plan_simulation
from bellbuoy.simulator.run.signals import stop_on_signals
from bellbuoy.simulator.run.simulation import Progress, Simulation, run_load
from bellbuoy.simulator.wire.carrier import Carrier
from bellbuoy.simulator.wire.customer import CustomerKeys, GatewayCarrier
from bellbuoy.simulator.wire.direct import DirectCarrier
from bellbuoy.simulator.world.company import SimulatedCompany
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.world.plain_load import plain_load
from bellbuoy.simulator.world.truth import Truth, TruthSource
from bellbuoy.simulator.worlds.played import PlayedWorld
from bellbuoy.simulator.worlds.world import load_world
from bellbuoy.times import now as wall_clock
from schemas.times import DAY, iso
from streams.kafka.cluster import Cluster

__all__ = ["SimulationOptions", "SimulationRun", "run_simulation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """
    Options of a simulation of a company.

    ``world`` names a world to play in its place; ``events`` asks for plain load, which ``rate`` limits.
    """

    accounts: int = 200
    days: int = 90
    speed: float = 129_600.0
    seed: int = 7
    per_seat: float = 0.25
    start: str | None = None
    direct: bool = False
    world: str | None = None
    events: int | None = None
    rate: float = 0.0
    truth: Path | None = None
    gateway: str | None = None
    tenant: str = "demo"
    disorder: Disorder = field(default_factory=Disorder)


@dataclass(slots=True)
class SimulationRun:
    """A run in progress, to show: ``begin`` and ``end`` in simulated UTC ms, or a number of ``events``."""

    truth: Truth
    progress: Progress
    begin: int = 0
    end: int = 0
    events: int | None = None


@dataclass(frozen=True, slots=True)
class _Deployment:
    """
    Connections of a run: what carries its events, what sets the time, and the latest time known there.

    ``timed`` is the Kafka whose time the run sets, ``None`` where that is the wall clock.
    """

    settings: Settings
    carrier: Carrier
    tick: Callable[[int], None]
    latest: int | None
    timed: Cluster | None


async def run_simulation(
    options: SimulationOptions,
    settings: Settings,
    say: Callable[[str], None],
    show: Callable[[SimulationRun], None],
) -> dict[str, Any]:
    """
    Run a simulation to its end or until a signal, and return its summary.

    ``say`` is called with what an operator must know, ``show`` with the run when it begins. Raises
    ConfigError, CarrierError and KafkaAwayError.
    """
    if options.world is not None and options.events is not None:
        raise ConfigError("--world and --events: a run is either a world or plain load, leave one out")
    target = _connect(options, settings, say)
    carrier = target.carrier
    run = SimulationRun(Truth(_open(options.truth)), Progress(), events=options.events)
    about = {"seed": options.seed, "accounts": options.accounts, "bad_reasons": dict(carrier.bad_reasons)}
    began = time.monotonic()
    try:
        await carrier.probe()
        with stop_on_signals() as stop:
            if options.events is None:
                await _run_company(options, target, run, say, show, stop)
            else:
                await _run_load(options, target, run, show, stop)
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


def _connect(options: SimulationOptions, settings: Settings, say: Callable[[str], None]) -> _Deployment:
    simulated, kafka = settings.journal.clock == "simulated", None
    if options.direct or simulated:
        require_topics(settings)
        kafka = kafka_cluster(settings)
    direct = kafka if options.direct else None
    carrier = _gateway(options, settings) if direct is None else DirectCarrier(direct, options.tenant)
    if simulated and kafka is not None:
        return _Deployment(settings, carrier, SimulationClock(kafka).tick, latest_time(kafka), kafka)
    if options.events is None:
        say(
            "journal.clock is wall: the journal takes these events as late ones of today. For a simulation "
            "with its own time, run the stack with BELLBUOY_JOURNAL__CLOCK=simulated."
        )
    return _Deployment(settings, carrier, lambda _: None, None, None)


def _gateway(options: SimulationOptions, settings: Settings) -> GatewayCarrier:
    url = options.gateway or f"http://{settings.gateway.host}:{settings.gateway.port}"
    return GatewayCarrier(url, CustomerKeys.of(settings.gateway, options.tenant))


async def _run_company(
    options: SimulationOptions,
    target: _Deployment,
    run: SimulationRun,
    say: Callable[[str], None],
    show: Callable[[SimulationRun], None],
    stop: asyncio.Event,
) -> None:
    wanted = wall_clock() - options.days * DAY if options.start is None else parse_start(options.start)
    plan = plan_simulation(wanted, target.latest)
    if plan.note:
        say(plan.note)
    run.begin = run.progress.now = plan.begin
    run.end = max(plan.begin, plan.start + options.days * DAY)
    show(run)
    follower = None if target.timed is None else JournalFollower(target.timed)
    simulation = Simulation(
        company=_company(options, plan.start),
        carrier=target.carrier,
        tick=target.tick,
        truth=run.truth,
        begin=plan.begin,
        speed=options.speed,
        limit=step_limit(target.settings.journal.future_minutes),
        reached=None if follower is None else follower.poll,
        progress=run.progress,
    )
    try:
        await simulation.run(stop, run.end)
    finally:
        if follower is not None:
            follower.close()


def _company(options: SimulationOptions, start: int) -> TruthSource:
    if options.world is None:
        return SimulatedCompany(options.seed, options.accounts, start, options.disorder, options.per_seat)
    return PlayedWorld(load_world(options.world, options.seed, options.accounts, options.days, start))


async def _run_load(
    options: SimulationOptions,
    target: _Deployment,
    run: SimulationRun,
    show: Callable[[SimulationRun], None],
    stop: asyncio.Event,
) -> None:
    now = wall_clock() if target.latest is None else max(target.latest, wall_clock())
    run.progress.now = now
    show(run)
    target.tick(now)
    deliveries = plain_load(options.seed, options.accounts, options.events or 0, now, options.disorder)
    await run_load(deliveries, target.carrier, run.truth, run.progress, stop, options.rate)
    target.tick(now + 1)


def _open(path: Path | None) -> IO[bytes] | None:
    try:
        return None if path is None else path.open("wb")
    except OSError as error:
        raise ConfigError(f"--truth: {path} can't be written: {error.strerror}") from None
