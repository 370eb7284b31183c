"""A world played as real events: its usage taken apart into single events, in the order of delivery."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from msgspec.structs import replace

from bellbuoy.simulator.world.delivery import Delivery, DeliveryKind
from bellbuoy.simulator.world.random_streams import id_prefix
from bellbuoy.simulator.worlds.people import make_people
from bellbuoy.simulator.worlds.world import World
from schemas.records import UsageCell, UsageEvent
from schemas.times import DAY

__all__ = ["PlayedWorld", "usage_events"]


class PlayedWorld:
    """A world's days as deliveries; the event ids of another seed or start differ."""

    def __init__(self, world: World) -> None:
        self.start = world.start
        self._world = world
        self._prefix = id_prefix(world.seed, world.start)
        self._people: dict[str, dict[int, str]] = {}
        self._customers = {customer.account_id: customer for customer in world.customers}

    def deliveries(self) -> Iterator[Delivery]:
        """Yield every delivery in the order of time, to the end of the world's days."""
        for day in self._world.days_of_events():
            begins, due = day.at - DAY, list[Delivery]()
            for cell in day.cells:
                late = cell.first_at < begins  # made up for: it comes within the first hour of the day
                name = f"{self._prefix}-{cell.account_id}-u{day.number:x}-{cell.day:x}"
                due += [
                    Delivery(begins + number if late else event.occurred_at, event, _kind(late))
                    for number, event in enumerate(usage_events(cell, self._ids(cell.account_id), name))
                ]
            for happened in day.events:
                late = happened.occurred_at < begins
                named: Any = replace(happened, event_id=f"{self._prefix}-{happened.event_id}")
                due.append(Delivery(begins if late else happened.occurred_at, named, _kind(late)))
            due.sort(key=lambda delivery: delivery.at)
            yield from due

    def account_truth(self) -> Iterator[dict[str, Any]]:
        """Yield each account's fate."""
        for fate in self._world.fates:
            fields = asdict(fate)
            yield {"account": fields.pop("account_id")} | fields

    def day_truth(self, day: int) -> Iterator[dict[str, Any]]:
        """Yield nothing: a fate says all."""
        del day
        yield from ()

    def _ids(self, account_id: str) -> Mapping[int, str]:
        ids = self._people.get(account_id)
        if ids is None:
            people = make_people(self._world.file, self._customers[account_id], self._world.seed)
            ids = self._people[account_id] = dict(zip(people.hashes.tolist(), people.ids, strict=True))
        return ids


def usage_events(cell: UsageCell, ids: Mapping[int, str], name: str) -> Iterator[UsageEvent]:
    """
    Yield single events that roll up to this cell again.

    ``ids`` has each user by hash; ``name`` begins the event ids. The cell must have as many events as
    users and as many as features, at least.
    """
    users = [ids[user] for user in array("I", cell.users)]
    count, features = cell.events, cell.features
    for number in range(count):
        feature = features[number % len(features)] if features else None
        waited = number < cell.latencies
        yield UsageEvent(
            event_id=f"{name}-{number:x}",
            tenant=cell.tenant,
            account_id=cell.account_id,
            source="segment",
            occurred_at=cell.first_at + (cell.last_at - cell.first_at) * number // max(1, count - 1),
            received_at=cell.received_at,
            user_id=users[number % len(users)] if users else None,
            name="Used" if feature is None else f"{feature.capitalize()} Used",
            feature=feature,
            duration_ms=_part(cell.duration_ms, count, number, number + 1),
            error=_part(cell.errors, count, number, number + 1) == 1,
            latency_ms=_part(cell.latency_ms, cell.latencies, number, number + 1) if waited else None,
        )


def _part(total: int, count: int, first: int, end: int) -> int:
    """Return what of a total falls to some of ``count`` even parts; all parts sum to the total."""
    return total * end // count - total * first // count


def _kind(late: bool) -> DeliveryKind:
    return "late" if late else "clean"
