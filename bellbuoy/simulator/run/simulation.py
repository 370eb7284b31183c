"""Simulation of a company in steps: it delivers a step's events, then sets the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from bellbuoy.simulator.run.pace import Pace, next_step
from bellbuoy.simulator.wire.carrier import Carrier, CarrierError, Receipt
from bellbuoy.simulator.world.delivery import Delivery
from bellbuoy.simulator.world.delivery_reader import DeliveryReader
from bellbuoy.simulator.world.truth import Truth, TruthSource
from bellbuoy.times import now as wall_clock
from schemas.records import AccountProfile, BillingEvent
from schemas.times import DAY

__all__ = ["Progress", "Simulation", "run_load"]

_TICK_SECONDS = 0.25
_PATIENCE_SECONDS = 120.0
_EVENTS_PER_CHUNK = 20_000


@dataclass(slots=True)
class Progress:
    """Progress of a run: the simulated time, and what was acknowledged so far."""

    now: int = 0
    receipt: Receipt = field(default_factory=Receipt)


@dataclass(slots=True)
class Simulation:
    """
    One run of a company from ``begin`` on.

    The tick for a time follows the acknowledgement of every event due before it. ``limit`` is how far events
    may run ahead of the last tick, in milliseconds. ``tick`` sets the journal's time; ``reached`` returns the
    time that the journal has reached, so that the simulation waits for a journal that is away.
    """

    company: TruthSource
    carrier: Carrier
    tick: Callable[[int], None]
    truth: Truth
    begin: int
    speed: float
    limit: int
    reached: Callable[[], int] | None = None
    progress: Progress = field(default_factory=Progress)

    async def run(self, stop: asyncio.Event, until: int | None = None) -> None:
        """
        Run to ``until`` (UTC milliseconds), or until ``stop`` is set.

        On return everything delivered is acknowledged and counted, and the clock is at ``progress.now``.
        Raises KafkaAwayError, and CarrierError also when the journal does not move on.
        """
        deliveries = DeliveryReader(self.company.deliveries())
        introduction = await asyncio.to_thread(self._introduction, deliveries)
        self.truth.write_accounts(self.company, (self.begin - self.company.start) // DAY)
        now = self.progress.now = self.begin
        await asyncio.to_thread(self.tick, now)
        await self._step(introduction, now)
        pace = Pace(now, wall_clock(), self.speed)
        while not stop.is_set() and (until is None or now < until):
            target = pace.at(wall_clock())
            target = target if until is None else min(target, until)
            step = next_step(now, target, self.limit)
            if step > now:
                if not await self._journal_followed(now, stop):
                    return
                await self._step(await asyncio.to_thread(deliveries.until, step), step)
                now = step
            if step >= target:
                await _pause(stop, _TICK_SECONDS)

    def _introduction(self, deliveries: DeliveryReader) -> list[Delivery]:
        """Skip the deliveries due before ``begin``; return those that introduce accounts on the first day."""
        if self.begin >= self.company.start + DAY:
            deliveries.skip(self.begin)
            return []
        introducing = ("subscription_started", None)
        return [
            delivery
            for delivery in deliveries.until(self.begin)
            if isinstance(delivery.event, AccountProfile | BillingEvent)
            and getattr(delivery.event, "kind", None) in introducing
        ]

    async def _journal_followed(self, now: int, stop: asyncio.Event) -> bool:
        """Return True once the journal is at most two steps behind; False when stopped meanwhile."""
        if self.reached is None:
            return True
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while await asyncio.to_thread(self.reached) < now - 2 * self.limit:
            if stop.is_set():
                return False
            if time.monotonic() > deadline:
                raise CarrierError(
                    f"the journal has not followed the simulation's clock for {_PATIENCE_SECONDS:.0f} s: "
                    "see that it runs, with BELLBUOY_JOURNAL__CLOCK=simulated"
                )
        return True

    async def _step(self, due: list[Delivery], step: int) -> None:
        self.progress.receipt += await self.carrier.deliver(due)
        self.truth.count(due)
        self.truth.write_days(self.company, step)
        await asyncio.to_thread(self.tick, step)
        self.progress.now = step


async def run_load(
    deliveries: Iterable[Delivery],
    carrier: Carrier,
    truth: Truth,
    progress: Progress,
    stop: asyncio.Event,
    rate: float = 0.0,
) -> None:
    """
    Deliver all, at most ``rate`` events a second (0: as fast as they are acknowledged); raise CarrierError.

    On return everything delivered is acknowledged and counted.
    """
    source: Iterator[Delivery] = iter(deliveries)
    chunk = _EVENTS_PER_CHUNK if rate <= 0 else max(1, min(_EVENTS_PER_CHUNK, int(rate / 10)))
    began = time.monotonic()
    while not stop.is_set():
        batch = await asyncio.to_thread(lambda: list(islice(source, chunk)))
        if not batch:
            return
        progress.receipt += await carrier.deliver(batch)
        truth.count(batch)
        if rate > 0:
            await _pause(stop, began + truth.delivered / rate - time.monotonic())


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
