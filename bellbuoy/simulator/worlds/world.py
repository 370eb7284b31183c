"""A world with known truth: its customers' events day by day, and the fate of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from bellbuoy.simulator.worlds.billing import Subscription
from bellbuoy.simulator.worlds.causes import signs_of
from bellbuoy.simulator.worlds.customers import Customer, make_customers
from bellbuoy.simulator.worlds.fates import Course, Fate, course_of, fate_of
from bellbuoy.simulator.worlds.feeds import Feeds
from bellbuoy.simulator.worlds.file import WorldFile, WorldFileError, read_world_file
from bellbuoy.simulator.worlds.people import chances, make_people
from bellbuoy.simulator.worlds.relations import Relations
from bellbuoy.simulator.worlds.usage import usage_cells
from schemas.records import InputEvent, UsageCell
from schemas.suggestions import suggestion
from schemas.times import DAY, day_number

__all__ = ["WORLDS", "World", "WorldDay", "load_world"]

_FILES = Path(__file__).parent / "files"

WORLDS = tuple(sorted(path.stem for path in _FILES.glob("*.yaml")))
"""The names of the worlds that come with Bellbuoy."""


@dataclass(frozen=True, slots=True)
class WorldDay:
    """
    One day's arrivals: usage rolled up, one cell for an account and day, and all other events.

    ``number`` counts from 0; ``at`` is the midnight that ends the day, UTC milliseconds. Late arrivals carry
    the earlier time at which they occurred.
    """

    number: int
    at: int
    cells: list[UsageCell]
    events: list[InputEvent]


class World:
    """
    A world of a file from ``start`` on; equal arguments give equal days and fates, ids included.

    More days or more accounts leave what fewer would give as it is.
    """

    planted = True
    """The causes of churn are known."""

    def __init__(
        self, file: WorldFile, seed: int, accounts: int, days: int, start: int | None = None
    ) -> None:
        self.file, self.seed, self.days = file, seed, days
        self.name, self.partitions = file.world, file.partitions
        self.start = day_number(file.start) * DAY if start is None else start // DAY * DAY
        self.customers = make_customers(file, seed, accounts)
        self._courses = [course_of(file, customer, seed) for customer in self.customers]
        self.fates: tuple[Fate, ...] = tuple(
            fate_of(customer, course, self.start, days)
            for customer, course in zip(self.customers, self._courses, strict=True)
        )

    def without_faults(self) -> World | None:
        """Return the same world, but that no feed dies in it; ``None`` where none does anyway."""
        if not self.file.feeds:
            return None
        file = self.file.model_copy(update={"feeds": []})
        return World(file, self.seed, len(self.customers), self.days, self.start)

    def days_of_events(self) -> Iterator[WorldDay]:
        """Yield every day, in order; cells by account, events by the time at which they occurred."""
        cells: dict[int, list[UsageCell]] = defaultdict(list)
        events: dict[int, list[InputEvent]] = defaultdict(list)
        for customer, course in zip(self.customers, self._courses, strict=True):
            for item in self._life(customer, course):
                if isinstance(item, UsageCell):
                    cells[item.day - self.start // DAY].append(item)
                else:
                    events[(item.occurred_at - self.start) // DAY].append(item)
        feeds = Feeds(self.file, (customer.tenant for customer in self.customers), self.seed)
        for number in range(self.days):
            at = self.start + (number + 1) * DAY
            happened = sorted(events.pop(number, []), key=lambda event: event.occurred_at)
            yield WorldDay(number, at, *feeds.deliver(number, at, cells.pop(number, []), happened))

    def _life(self, customer: Customer, course: Course | None) -> Iterator[UsageCell | InputEvent]:
        """Yield all that an account does between the world's start and its own end."""
        people = make_people(self.file, customer, self.seed)
        days = np.arange(-1, self.days + 1)
        signs = signs_of(self.file, customer, course, people.count, days, self.seed)
        chance = chances(self.file, customer, people, days, self.start // DAY, self.seed)
        end = self.start + self.days * DAY
        if course is not None and not course.saved:
            chance[days >= course.ends] = 0
            end = min(end, self.start + course.ends * DAY + 1)  # the end itself is the last event
        yield from (
            cell
            for cell in usage_cells(self.file, customer, people, signs, chance, self.start, self.seed)
            if (cell.day + 1) * DAY <= end
        )
        given = self.file, customer, people, signs, course, self.start, self.days, self.seed
        others = chain(Subscription(*given).events(), Relations(*given).events())
        yield from (event for event in others if event.occurred_at < end)


def load_world(
    name: str | Path,
    seed: int | None = None,
    accounts: int | None = None,
    days: int | None = None,
    start: int | None = None,
) -> World:
    """
    Return one of WORLDS, or the world of a YAML file; what is not given is as the file says.

    ``start`` is UTC milliseconds, rounded down to midnight.

    Raises WorldFileError for an unknown name, and for a bad file with every fault.
    """
    if name in WORLDS:
        path = _FILES / f"{name}.yaml"
    elif isinstance(name, Path) or name.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        raise WorldFileError(f"no world {name!r}: {suggestion(name, WORLDS, 'docs/worlds.md')}")
    file = read_world_file(path)
    return World(
        file,
        file.seed if seed is None else seed,
        file.accounts if accounts is None else accounts,
        file.days if days is None else days,
        start,
    )
