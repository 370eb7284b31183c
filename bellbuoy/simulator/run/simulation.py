"""Run a company against the pipeline: step, deliver, then tick, so that no time is told before its events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from bellbuoy.simulator.run.pace import Pace, next_step
from bellbuoy.simulator.wire.carrier import Carrier, CarrierError, Receipt
from bellbuoy.simulator.world.company import Company
from bellbuoy.simulator.world.delivery import Delivery
from bellbuoy.simulator.world.feed import Feed
from bellbuoy.simulator.world.truth import Truth
from schemas.records import AccountProfile, BillingEvent
from schemas.times import DAY

__all__ = ["Progress", "Simulation", "run_load", "wall_ms"]

_TICK_SECONDS = 0.25
_PATIENCE_SECONDS = 120.0
_CHUNK = 20_000


def wall_ms() -> int:
    """Return the wall clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Progress:
    """Where a run stands: simulated time, and what was acknowledged so far."""

    now: int = 0
    receipt: Receipt = field(default_factory=Receipt)


@dataclass(slots=True)
class Simulation:
    """
    One run of a company from ``begin`` on.

    The tick for a time follows the acknowledgement of everything due before it. ``limit`` bounds, in
    milliseconds, how far events run ahead of the last tick; ``tick`` tells the journal the time, and
    ``reached`` asks what time it has come to, so that a journal that is away is waited for.
    """

    company: Company
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
        Run to ``until`` (UTC milliseconds), or until told to stop.

        On return everything delivered is acknowledged and counted, and the clock stands at
        ``progress.now``. Raises KafkaAwayError, and CarrierError also when the journal stands still.
        """
        feed = Feed(self.company.deliveries())
        introduction = await asyncio.to_thread(self._introduce, feed)
        self.truth.introduce(self.company, (self.begin - self.company.start) // DAY)
        now = self.progress.now = self.begin
        await asyncio.to_thread(self.tick, now)
        await self._step(introduction, now)
        pace = Pace(now, wall_ms(), self.speed)
        while not stop.is_set() and (until is None or now < until):
            target = pace.at(wall_ms())
            target = target if until is None else min(target, until)
            step = next_step(now, target, self.limit)
            if step > now:
                if not await self._followed(now, stop):
                    return
                await self._step(await asyncio.to_thread(feed.until, step), step)
                now = step
            if step >= target:
                await _pause(stop, _TICK_SECONDS)

    def _introduce(self, feed: Feed) -> list[Delivery]:
        """Pass over what is due before ``begin``; who the accounts are is still told on the first day."""
        if self.begin >= self.company.start + DAY:
            feed.skip(self.begin)
            return []
        told = ("subscription_started", None)
        return [
            delivery
            for delivery in feed.until(self.begin)
            if isinstance(delivery.event, AccountProfile | BillingEvent)
            and getattr(delivery.event, "kind", None) in told
        ]

    async def _followed(self, now: int, stop: asyncio.Event) -> bool:
        """Return once the journal is two steps behind at most; False when stopped meanwhile."""
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
        self.truth.delivered_all(due)
        self.truth.reach(self.company, step)
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
    Deliver all, at most ``rate`` events a second (0: as fast as they are taken); raise CarrierError.

    On return everything delivered is acknowledged and counted.
    """
    source: Iterator[Delivery] = iter(deliveries)
    chunk = _CHUNK if rate <= 0 else max(1, min(_CHUNK, int(rate / 10)))
    began = time.monotonic()
    while not stop.is_set():
        batch = await asyncio.to_thread(lambda: list(islice(source, chunk)))
        if not batch:
            return
        progress.receipt += await carrier.deliver(batch)
        truth.delivered_all(batch)
        if rate > 0:
            await _pause(stop, began + truth.delivered / rate - time.monotonic())


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
