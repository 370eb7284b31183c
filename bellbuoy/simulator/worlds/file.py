"""The world file: YAML that says who a world's customers are, how they leave, and which feeds die."""

from __future__ import annotations

import math
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from bellbuoy.errors import ConfigError
from bellbuoy.yaml_files import read_document
from schemas.checked_files.invalid_keys import invalid_keys
from schemas.checked_files.reader import Marks

__all__ = [
    "CAUSES",
    "CauseSpec",
    "FeedSpec",
    "LevelsSpec",
    "NoiseSpec",
    "SegmentSpec",
    "WorldFile",
    "WorldFileError",
    "read_world_file",
]

CAUSES = (
    "decay", "champion", "onboarding", "tickets", "errors", "payment", "price", "reorganisation",
    "competitor", "chance",
)  # fmt: skip
"""The causes for which customers leave; ``causes`` has a function for each."""

Cause: TypeAlias = Literal[
    "decay", "champion", "onboarding", "tickets", "errors", "payment", "price", "reorganisation",
    "competitor", "chance",
]  # fmt: skip

_EARLIEST, _LATEST = 1990, 2100
_COUNTRIES = {"DE": 1, "FR": 1, "ES": 1, "GB": 0, "US": -5, "CA": -8, "BR": -3, "IN": 5, "JP": 9, "AU": 10}
"""Countries that a file may name, by their hours ahead of UTC (without summer time)."""


class WorldFileError(ConfigError):
    """
    A world file can't be used; the message lists every fault with its line, key and fix.

    Operator action: correct the named lines; docs/worlds.md has the format.
    """


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first is above the second; write [{pair[1]:g}, {pair[0]:g}]")
    return pair


def _whole(shares: dict[Any, float]) -> dict[Any, float]:
    total = sum(shares.values())
    if not math.isclose(total, 1, abs_tol=1e-6):
        raise ValueError(f"the shares sum to {total:g}; make them sum to 1")
    return shares


def _country(code: str) -> str:
    if code not in _COUNTRIES:
        raise ValueError(f"no country that worlds know; use some of {', '.join(_COUNTRIES)}")
    return code


def _segments(segments: dict[str, SegmentSpec]) -> dict[str, SegmentSpec]:
    _whole({name: segment.share for name, segment in segments.items()})
    return segments


def _recent(start: date) -> date:
    if not _EARLIEST <= start.year <= _LATEST:
        raise ValueError(f"{start} is no year for a world; choose one from {_EARLIEST} to {_LATEST}")
    return start


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Days: TypeAlias = Annotated[float, Field(gt=0, le=1_000)]
Rate: TypeAlias = Annotated[float, Field(ge=0, le=100)]
ShareRange: TypeAlias = Annotated[tuple[Share, Share], AfterValidator(_ascending)]
DayRange: TypeAlias = Annotated[tuple[Days, Days], AfterValidator(_ascending)]
Lengths: TypeAlias = Annotated[
    tuple[Annotated[int, Field(ge=20, le=135)], Annotated[int, Field(ge=20, le=135)]],
    AfterValidator(_ascending),
]
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$"), BeforeValidator(_text)]
Months: TypeAlias = Annotated[int, Field(ge=1, le=60)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SeatsSpec(_Part):
    """The distribution of a segment's seats: log-normal, cut at ``least`` and ``most``."""

    median: Annotated[float, Field(ge=1, le=10_000)]
    spread: Annotated[float, Field(ge=0, le=2)] = 0.5
    least: Annotated[int, Field(ge=1)] = 1
    most: Annotated[int, Field(ge=1, le=5_000)] = 1_000

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least is above most; make it {self.most} or less")
        return self


class RhythmSpec(_Part):
    """The shares of the people who come each working day, once a week, and once in two weeks."""

    daily: Share = 0.4
    weekly: Share = 0.4
    fortnightly: Share = 0.2

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        _whole({"daily": self.daily, "weekly": self.weekly, "fortnightly": self.fortnightly})
        return self


class SegmentSpec(_Part):
    """A segment: its share of the accounts, its seats, contracts and habits. Money is in minor units."""

    share: Share
    seats: SeatsSpec
    plans: Annotated[list[Name], Field(min_length=1)]
    price_minor: Annotated[int, Field(gt=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    terms_months: Annotated[dict[Months, Share], AfterValidator(_whole), Field(min_length=1)]
    invoice_months: Months = 1
    card: Share = 0.8
    rhythms: RhythmSpec = RhythmSpec()
    sends_little: Share = 1 / 3
    contact_days: Days = 45
    tickets_a_month: Rate = 0.6
    risk: Rate = 1.0


class NoiseSpec(_Part):
    """
    The noise: how often each harmless spell befalls an account in a year, and how restless it is.

    ``wander`` is the range of the standard deviation of an account's activity, as a logarithm.
    """

    wander: ShareRange = (0.15, 0.45)
    bad_weeks: Rate = 2.5
    lulls: Rate = 1.0
    error_spells: Rate = 1.5
    ticket_spells: Rate = 1.0
    contact_pauses: Rate = 1.0
    champion_changes: Rate = 0.15
    failed_payment: Share = 0.05
    late_payer: Share = 0.15
    price_rise: Share = 0.3
    smaller_plan: Rate = 0.08
    withdrawn_notice: Rate = 0.03


class CauseSpec(_Part):
    """One cause: its weight among the causes, its length in days, the share saved, and its strength."""

    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    days: Lengths = (20, 135)
    saved: Annotated[float, Field(ge=0.3, le=0.45)] = 0.38
    strength: ShareRange = (0.45, 1.0)


class LevelsSpec(_Part):
    """
    A world without causes: who leaves is told by levels alone, at the renewal.

    The log-odds to leave at a renewal are ``base + usage * u + price * p``, where ``u`` and ``p`` are the
    account's standardised levels of usage and of price, which never change.
    """

    base: float = -2.0
    usage: float = -1.0
    price: float = 0.8


class FeedSpec(_Part):
    """
    A fault of a feed: which topic, how much of it, for how many days, how often, and whether it comes later.

    ``accounts`` is the share of a tenant's accounts that it befalls; ``keeps`` the share that still comes.
    """

    topic: Literal["usage", "support", "billing", "surveys", "engagement"]
    days: Annotated[int, Field(ge=1, le=30)] = 3
    every_days: Days = 60
    accounts: Share = 1.0
    keeps: Share = 0.0
    made_up: bool = False


class WorldFile(_Part):
    """A world: its customers, causes of churn, noise and dead feeds."""

    world: Name
    about: str = ""
    seed: int = 1
    accounts: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    days: Annotated[int, Field(ge=30, le=3_650)] = 240
    start: Annotated[date, AfterValidator(_recent)] = date(2025, 1, 6)
    partitions: Annotated[int, Field(ge=1, le=1_024)] = 4
    tenant_accounts: (
        Annotated[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], AfterValidator(_ascending)]
        | None
    ) = None
    countries: Annotated[
        dict[Annotated[str, AfterValidator(_country)], Share], AfterValidator(_whole), Field(min_length=1)
    ] = {"DE": 0.35, "FR": 0.15, "GB": 0.15, "US": 0.25, "JP": 0.1}
    segments: Annotated[dict[Name, SegmentSpec], AfterValidator(_segments), Field(min_length=1)]
    newcomers: Share = 0.2
    newcomers_within: Annotated[int, Field(ge=1, le=3_650)] = 120
    loyal: Share = 0.1
    august: ShareRange = (0.0, 0.5)
    december: ShareRange = (0.2, 0.9)
    growth_a_year: Rate = 0.15
    onsets_a_month: Rate = 0.05
    notice: Share = 0.5
    notice_days: Annotated[int, Field(ge=1, le=30)] = 30
    causes: dict[Cause, CauseSpec] = {}
    noise: NoiseSpec = NoiseSpec()
    feeds: list[FeedSpec] = []
    levels: LevelsSpec | None = None

    def zone_hours(self, country: str) -> int:
        """Return the hours that a country's clocks are ahead of UTC."""
        return _COUNTRIES[country]


def read_world_file(path: Path) -> WorldFile:
    """Return the world in a YAML file; raise WorldFileError, which lists every fault."""
    document = read_document(path, WorldFileError, partial(_error, path))
    faults = [*map(str, document.faults), *_contradictions(document.data, document.marks)]
    try:
        world = WorldFile.model_validate_json(orjson.dumps(document.data), strict=True)
    except ValidationError as error:
        raise _error(path, faults + invalid_keys(error, document.marks, _keys, "docs/worlds.md")) from None
    if faults:
        raise _error(path, faults)
    return world


def _error(path: Path, faults: list[str]) -> WorldFileError:
    return WorldFileError(f"{path} can't be used:\n" + "\n".join(f"  - {fault}" for fault in faults))


_PARTS: dict[str, type[_Part]] = {
    "segments": SegmentSpec,
    "causes": CauseSpec,
    "feeds": FeedSpec,
    "noise": NoiseSpec,
    "levels": LevelsSpec,
    "seats": SeatsSpec,
    "rhythms": RhythmSpec,
}


def _keys(path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand below a path."""
    part = next((_PARTS[str(name)] for name in reversed(path) if name in _PARTS), WorldFile)
    return list(part.model_fields)


def _contradictions(data: dict[str, Any], marks: Marks) -> list[str]:
    causes, levels = data.get("causes"), data.get("levels")
    if causes and levels is not None:
        return [str(marks.fault(("levels",), "given beside causes", "keep one of the two"))]
    if not causes and levels is None:
        return [str(marks.fault(("causes",), "nobody would ever leave", "name causes, or give levels"))]
    return []
