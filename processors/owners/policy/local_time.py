"""
Local times of a person: working hours, and the day and the hour of a time in a zone.

The zones are those of the package ``tzdata``, not of the machine, so that every machine decides the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

__all__ = ["EVERY_DAY", "Hours", "local_date", "local_day", "next_time_of_day", "zone", "zone_names"]

EVERY_DAY = frozenset(range(7))
"""All days of the week; Monday is 0."""

_DAYS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Hours:
    """Working hours: from a minute of the day to another, on days of the week (Monday is 0), in a zone."""

    zone: str = "UTC"
    days: frozenset[int] = EVERY_DAY
    begins: int = 0
    ends: int = 24 * 60

    def open_at(self, now: int) -> bool:
        """Tell whether *now*, UTC milliseconds, is inside the hours."""
        local = _local(self.zone, now)
        return local.weekday() in self.days and self.begins <= local.hour * 60 + local.minute < self.ends

    def next_open(self, now: int) -> int:
        """Return *now* inside the hours, else when they begin next, UTC milliseconds."""
        return now if self.open_at(now) else next_time_of_day(self.zone, self.begins, now, self.days)


def local_day(name: str, now: int) -> int:
    """Return the number of the day, as ``date.toordinal`` counts, that *now* is in the zone of this name."""
    return _local(name, now).toordinal()


def local_date(name: str, at: int) -> str:
    """Return the date of *at* in the zone of this name, as ISO 8601."""
    return _local(name, at).date().isoformat()


def next_time_of_day(name: str, minute: int, now: int, days: frozenset[int] = EVERY_DAY) -> int:
    """
    Return the first time after *now* at which it is this minute of one of these days in the zone.

    A time that a change of the clock leaves out comes as much later; of one that it repeats, the first
    counts.
    """
    today = _local(name, now).date()
    for ahead in range(_DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if day.weekday() in days and (at := _at(name, day, minute)) > now:
            return at
    raise ValueError("no day of the week is among the days")


def _at(name: str, day: date, minute: int) -> int:
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone(name))
    return int(local.timestamp() * 1000)


def _local(name: str, now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000, UTC).astimezone(zone(name))


@cache
def zone(name: str) -> ZoneInfo:
    """Return the zone of this name; raise ValueError for an unknown one."""
    if name not in zone_names():
        raise ValueError(f"{name} is no time zone")
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())
