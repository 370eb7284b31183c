"""Feeds that die: a tenant's events of one topic that don't come for days, wholly or in part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from msgspec.structs import replace

from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.worlds.file import FeedSpec, WorldFile
from schemas.inputs import input_of
from schemas.records import InputEvent, UsageCell

__all__ = ["Feeds"]

_Outages: TypeAlias = list[tuple[int, int]]
_FURTHEST_DAY = 3_650


@dataclass(slots=True)
class _Fault:
    """One fault of one tenant's feed: the days on which it holds, and what waits until it is over."""

    name: str
    spec: FeedSpec
    outages: _Outages
    cells: list[UsageCell] = field(default_factory=list)
    events: list[InputEvent] = field(default_factory=list)

    def holds(self, day: int) -> bool:
        return any(first <= day < end for first, end in self.outages)


class Feeds:
    """
    The feeds of all tenants; ``deliver`` is called for every day, in order.

    What a fault keeps back comes with the first day after it when the file says ``made_up``, with the time at
    which it occurred; otherwise it never comes.
    """

    def __init__(self, file: WorldFile, tenants: Iterable[str], seed: int) -> None:
        self._seed = seed
        self._faults: dict[tuple[str, str], list[_Fault]] = defaultdict(list)
        for tenant in sorted(set(tenants)):
            for number, spec in enumerate(file.feeds):
                name = f"{file.world}/{tenant}/{number}"
                outages = _outages(spec, random_stream(seed, name, "outages"))
                self._faults[tenant, spec.topic].append(_Fault(name, spec, outages))

    def deliver(
        self, day: int, at: int, cells: list[UsageCell], events: list[InputEvent]
    ) -> tuple[list[UsageCell], list[InputEvent]]:
        """Return what arrives on a day, which ends ``at``: of what happened on it, and made up for."""
        if not self._faults:
            return cells, events
        came_cells = [part for cell in cells for part in self._cell(day, cell)]
        came_events = [event for event in events if self._comes(day, event)]
        for faults in self._faults.values():
            for fault in faults:
                if not fault.holds(day) and (fault.cells or fault.events):
                    came_cells += [replace(cell, received_at=at) for cell in fault.cells]
                    came_events += [replace(event, received_at=at) for event in fault.events]
                    fault.cells.clear()
                    fault.events.clear()
        return came_cells, came_events

    def _cell(self, day: int, cell: UsageCell) -> Iterator[UsageCell]:
        fault = self._fault(day, cell.tenant, "usage", cell.account_id)
        if fault is None:
            yield cell
            return
        draw = random_stream(self._seed, fault.name, cell.account_id, day)
        came, kept = _split(cell, fault.spec.keeps, draw)
        if came is not None:
            yield came
        if kept is not None and fault.spec.made_up:
            fault.cells.append(kept)

    def _comes(self, day: int, event: InputEvent) -> bool:
        fault = self._fault(day, event.tenant, input_of(event).batch_field, event.account_id)
        if fault is None or random_stream(self._seed, fault.name, event.event_id).random() < fault.spec.keeps:
            return True
        if fault.spec.made_up:
            fault.events.append(event)
        return False

    def _fault(self, day: int, tenant: str, topic: str, account_id: str) -> _Fault | None:
        """Return the first fault that holds for an account on a day."""
        for fault in self._faults.get((tenant, topic), ()):
            if fault.holds(day):
                share = random_stream(self._seed, fault.name, "befalls", account_id).random()
                if share < fault.spec.accounts:
                    return fault
        return None


def _outages(spec: FeedSpec, draw: Random) -> _Outages:
    outages, day = _Outages(), 0.0
    while day < _FURTHEST_DAY:
        day += 15 + draw.expovariate(1 / spec.every_days)
        outages.append((int(day), int(day) + spec.days))
        day += spec.days
    return outages


def _split(cell: UsageCell, keeps: float, draw: Random) -> tuple[UsageCell | None, UsageCell | None]:
    """Return the part of a cell whose events come, and the part that is kept back; ``None``: nothing."""
    events = sum(draw.random() < keeps for _ in range(cell.events)) if keeps else 0
    if events == 0:
        return None, cell
    if events == cell.events:
        return cell, None
    users = [cell.users[place : place + 4] for place in range(0, len(cell.users), 4)]
    few = sorted(draw.sample(range(len(users)), min(len(users), events)))
    came = replace(
        cell,
        events=events,
        errors=min(events, cell.errors * events // cell.events),
        duration_ms=cell.duration_ms * events // cell.events,
        latency_ms=cell.latency_ms * events // cell.events,
        latencies=cell.latencies * events // cell.events,
        users=b"".join(users[place] for place in few),
        features=sorted(draw.sample(cell.features, min(len(cell.features), events))),
    )
    rest = [place for place in range(len(users)) if place not in few]
    rest = sorted((rest + few)[: cell.events - events])
    unused = [feature for feature in cell.features if feature not in came.features]
    kept = replace(
        cell,
        users=b"".join(users[place] for place in rest),
        features=sorted((unused + came.features)[: cell.events - events]),
        events=cell.events - came.events,
        errors=cell.errors - came.errors,
        duration_ms=cell.duration_ms - came.duration_ms,
        latency_ms=cell.latency_ms - came.latency_ms,
        latencies=cell.latencies - came.latencies,
    )
    return _at_one_time(came), _at_one_time(kept)


def _at_one_time(cell: UsageCell) -> UsageCell:
    """Return a cell whose only event, if there is but one, has one time."""
    return replace(cell, last_at=cell.first_at) if cell.events == 1 else cell
