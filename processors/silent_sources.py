"""
Tell a source that fell silent for everybody, which is our fault, from customers who did.

A partition remembers of each tenant's inputs when something was last heard, the longest pauses there usually
are, and whether many accounts are heard. Once nothing has come for half as long again as the longest usual
pause, the source is silent: measures that it informs are held as they were when it was last heard, and rules
that rest on it can't tell. When it speaks again each account stays held until it is heard itself, for a day
at most: what was missed may come late, and in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from processors.measures import MeasureDefinition, MeasureValue, View
from processors.state.account import State
from processors.state.parts import brief
from schemas.inputs import INPUTS, USAGE
from schemas.records import JournalBatch
from schemas.times import DAY, HOUR, MINUTE

__all__ = [
    "CATCHING_UP",
    "MANY",
    "NOTHING_HELD",
    "FrozenSources",
    "Silence",
    "Source",
    "frozen_for",
    "frozen_values",
    "hear",
    "is_silent",
    "silences",
    "silent",
]  # fmt: skip

MANY = 10
"""Accounts of a partition that must have been heard lately, else their silence can be their own."""

KNOWN_FOR = 14 * DAY
"""Time for which a source must have been heard, so that its usual pauses are known."""

LEAST = 12 * HOUR
"""No shorter pause is silence."""

LONGER = 1.5
"""How much longer than the longest usual pause silence is."""

CATCHING_UP = DAY
"""How long accounts stay held after the source speaks again."""

_PAUSES_DAYS = 28
_GRAIN = MINUTE
_SINCE = ", when last heard; the source is silent for every account"

_TOPICS = {each.batch_field: each.topic for each in INPUTS if each.watched}

Name = tuple[str, str]
"""Tenant and topic."""

FrozenSources = Mapping[str, int]
"""Topics whose measures are held, each with the time as of which."""

NOTHING_HELD: FrozenSources = {}


class Silence(NamedTuple):
    """A topic that is silent since, or was until a short while ago: then it is over."""

    topic: str
    since: int
    over: bool


class Source(msgspec.Struct, array_like=True, frozen=True):
    """
    What a partition knows of one tenant's input; kept in the changelog, so fields are only ever appended.

    ``pauses`` maps a UTC day to its longest pause in milliseconds, ``ones`` up to MANY accounts, by the
    ``brief`` of the id, to the day each was last heard. ``silent_since`` is when it was last heard before it
    last fell silent, ``back_at`` when it spoke again (-1: never). Times are the journal's, to the minute.
    """

    tenant: str
    topic: str
    first_at: int
    last_at: int
    pauses: dict[int, int] = {}
    ones: dict[int, int] = {}
    silent_since: int = -1
    back_at: int = -1


def is_silent(source: Source, now: int) -> bool:
    """Tell whether a source has been silent for longer than it ever is."""
    if now - source.last_at <= LEAST:  # nearly always, and asked for every batch
        return False
    day = source.last_at // DAY
    many = sum(1 for heard in source.ones.values() if heard > day - 14) >= MANY
    if not many or source.last_at - source.first_at < KNOWN_FOR:
        return False
    usual = max((pause for at, pause in source.pauses.items() if at > day - _PAUSES_DAYS), default=0)
    return now - source.last_at > LONGER * usual


def hear(sources: Mapping[Name, Source], batch: JournalBatch) -> dict[Name, Source]:
    """Return the sources that a batch changes."""
    now = batch.written_at // _GRAIN * _GRAIN
    changed: dict[Name, Source] = {}
    for name, accounts in _heard(batch).items():
        before = sources.get(name)
        after = Source(*name, now, now) if before is None else _later(before, now)
        ones = _remembered(after.ones, accounts, now // DAY)
        if ones is not after.ones:
            after = msgspec.structs.replace(after, ones=ones)
        if after is not before:
            changed[name] = after
    return changed


def silences(sources: Mapping[Name, Source], tenant: str, now: int) -> tuple[Silence, ...]:
    """Return what is silent for a tenant at *now*, or was a short while ago."""
    found = []
    for topic in _TOPICS.values():
        source = sources.get((tenant, topic))
        if source is None:
            continue
        if is_silent(source, now):
            found.append(Silence(topic, source.last_at, over=False))
        elif source.back_at >= 0 and now < source.back_at + CATCHING_UP:
            found.append(Silence(topic, source.silent_since, over=True))
    return tuple(found)


def frozen_for(silences: Iterable[Silence], state: State) -> FrozenSources:
    """Return what is held of an account while these sources are silent, or have just come back."""
    held: dict[str, int] = {}
    for topic, since, over in silences:
        if over:
            last = state.usage.last_at if topic == USAGE.topic else state.heard.get(topic)
            if last is None or last > since:
                continue
        held[topic] = since
    return held


def frozen_values(reads: Sequence[MeasureDefinition], view: View, held: FrozenSources) -> list[MeasureValue]:
    """Return what is measured of an account, each fact as of when its silent sources were last heard."""
    if not held:  # nearly always
        return [measured(view) for measured in reads]
    before: dict[int, View] = {}
    facts = []
    for measured in reads:
        since = min((held[topic] for topic in measured.sources if topic in held), default=None)
        if since is None:
            facts.append(measured(view))
            continue
        if since not in before:
            before[since] = View(view.state, since)
        fact = measured(before[since])
        facts.append(msgspec.structs.replace(fact, reason=f"{fact.reason}{_SINCE}", held=True))
    return facts


def _heard(batch: JournalBatch) -> dict[Name, list[str]]:
    """Return a few of the accounts that each source speaks of."""
    found: dict[Name, list[str]] = {}
    for name, topic in _TOPICS.items():
        for event in getattr(batch, name):
            accounts = found.setdefault((event.tenant, topic), [])
            if len(accounts) < MANY:
                accounts.append(event.account_id)
    return found


def _later(source: Source, now: int) -> Source:
    """Return the source heard at *now*; itself within the minute."""
    if now <= source.last_at:
        return source
    day, pause = now // DAY, now - source.last_at
    if is_silent(source, now):  # an outage is no usual pause
        return msgspec.structs.replace(source, last_at=now, silent_since=source.last_at, back_at=now)
    pauses = source.pauses
    if pause > pauses.get(day, 0):
        kept = {at: known for at, known in pauses.items() if at > day - _PAUSES_DAYS}
        pauses = dict(sorted((kept | {day: pause}).items()))
    return msgspec.structs.replace(source, last_at=now, pauses=pauses)


def _remembered(ones: dict[int, int], accounts: list[str], day: int) -> dict[int, int]:
    known = ones
    for account in accounts:
        one = brief(account)
        if known.get(one) == day:
            continue
        if one not in known and len(known) >= MANY:
            oldest = min(known, key=lambda key: (known[key], key))
            if known[oldest] > day - 14:
                continue
            known = {key: at for key, at in known.items() if key != oldest}
        known = dict(sorted((known | {one: day}).items()))
    return known


def silent(sources: Mapping[Name, Source], now: int) -> Iterator[Source]:
    """Yield the sources that are silent at *now*."""
    yield from (source for source in sources.values() if is_silent(source, now))
