"""
Detection of silent sources: a source that stops for every account is our fault, not the customers' silence.

A partition keeps of each feed (one tenant's events on one topic) when the last one came, how long its longest
usual pauses are, and which accounts sent some. Once nothing has come for half as long again as the longest
usual pause, the feed is silent: measures that it informs are frozen at their values of that time, and alert
rules that rest on it can't tell. When it speaks again, each account stays frozen until something of its own
comes, for a day at most: what was missed may come late, and in any order.

    events of the feed     x x  x x x                        x  x x
    silent                             [====================]
    frozen for account a               [====================]      the first event is a's
    frozen for account b               [====================-----------]   no event of b within CATCHING_UP
                                       ^ more than PAUSE_FACTOR longest usual pauses, and MIN_SILENCE, went by
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from processors.measures import MeasureDefinition, MeasureValue
from processors.state.account import State
from processors.state.parts import brief
from processors.view import View
from schemas.inputs import INPUTS, USAGE
from schemas.records import JournalBatch
from schemas.times import DAY, HOUR, MINUTE

__all__ = [
    "CATCHING_UP",
    "KNOWN_FOR",
    "MIN_ACCOUNTS",
    "MIN_SILENCE",
    "NOTHING_FROZEN",
    "Feed",
    "FeedKey",
    "FrozenSources",
    "Outage",
    "Silence",
    "changed_feeds",
    "changed_outages",
    "frozen_for",
    "frozen_values",
    "is_silent",
    "silences",
    "silent_feeds",
]  # fmt: skip

MIN_ACCOUNTS = 10
"""Accounts of a partition that must have sent something lately: the silence of fewer may be their own."""

KNOWN_FOR = 14 * DAY
"""Time for which a feed must have been known, so that its usual pauses are."""

MIN_SILENCE = 12 * HOUR
"""No shorter pause is silence."""

PAUSE_FACTOR = 1.5
"""A feed is silent after this many times its longest usual pause."""

CATCHING_UP = DAY
"""Longest time for which an account stays frozen after the feed speaks again."""

_PAUSE_DAYS = 28
"""Days of which the longest pause is remembered."""

_ACCOUNT_DAYS = 14
"""An account counts as sending for so many days after its last event."""

_GRAIN = MINUTE
"""A feed's times are rounded down to this, so that a busy feed changes once a minute and not with every
batch."""

_FROZEN_REASON = ", when last heard; the source is silent for every account"

_TOPICS = {each.batch_field: each.topic for each in INPUTS if each.watched}
"""Topics that are watched, by the field of a batch that has their events."""

FeedKey = tuple[str, str]
"""Tenant and topic."""

FrozenSources = Mapping[str, int]
"""Topics whose measures are frozen for an account, each with the time as of which (UTC milliseconds)."""

NOTHING_FROZEN: FrozenSources = {}


class Silence(NamedTuple):
    """A topic that has been silent since a time, or was until a short while ago: then it is ``over``."""

    topic: str
    since: int
    over: bool


class Feed(msgspec.Struct, array_like=True, frozen=True):
    """
    One tenant's events on one topic, as a partition sees them.

    ``pauses`` maps a UTC day to its longest pause in milliseconds, ``senders`` up to MIN_ACCOUNTS accounts,
    by the ``brief`` of their id, to the day of their last event. ``silent_since`` is when the last event came
    before the feed last fell silent, ``back_at`` when the next one came (-1: never). Times are the journal's,
    to the minute. Kept in the changelog, so fields are only ever appended.
    """

    tenant: str
    topic: str
    first_at: int
    last_at: int
    pauses: dict[int, int] = {}
    senders: dict[int, int] = {}
    silent_since: int = -1
    back_at: int = -1


class Outage(msgspec.Struct, array_like=True, frozen=True):
    """
    The silence of a feed since a time, as the owners' stage was told of it; -1: that it is over.

    ``short`` of ``expected`` accounts fell short where it is only silent in part (0: of all). Kept in the
    changelog, so fields are only ever appended.
    """

    tenant: str
    topic: str
    since: int = -1
    expected: int = 0
    short: int = 0


def is_silent(feed: Feed, now: int) -> bool:
    """Tell whether a feed has been silent for longer than it ever is."""
    if now - feed.last_at <= MIN_SILENCE:  # nearly always, and asked for every batch
        return False
    day = feed.last_at // DAY
    senders = sum(1 for last_day in feed.senders.values() if last_day > day - _ACCOUNT_DAYS)
    if senders < MIN_ACCOUNTS or feed.last_at - feed.first_at < KNOWN_FOR:
        return False
    usual = max((pause for at, pause in feed.pauses.items() if at > day - _PAUSE_DAYS), default=0)
    return now - feed.last_at > PAUSE_FACTOR * usual


def silent_feeds(feeds: Mapping[FeedKey, Feed], now: int) -> Iterator[Feed]:
    """Yield the feeds that are silent at *now*."""
    yield from (feed for feed in feeds.values() if is_silent(feed, now))


def changed_outages(
    feeds: Mapping[FeedKey, Feed],
    shortfalls: Mapping[FeedKey, Outage],
    told: Mapping[FeedKey, Outage],
    now: int,
) -> dict[FeedKey, Outage]:
    """Return the outages that began or ended since they were told of; ``shortfalls`` are those in part."""
    changed: dict[FeedKey, Outage] = {}
    for key in chain(feeds, (key for key in shortfalls if key not in feeds)):
        feed, known = feeds.get(key), key in told and told[key].since >= 0
        silent = feed is not None and is_silent(feed, now)
        if (silent or key in shortfalls) == known:
            continue
        if known:
            changed[key] = Outage(*key)
        else:
            changed[key] = Outage(*key, feed.last_at) if feed is not None and silent else shortfalls[key]
    return changed


def changed_feeds(feeds: Mapping[FeedKey, Feed], batch: JournalBatch) -> dict[FeedKey, Feed]:
    """Return the feeds that a batch changes, as they are after it."""
    now = batch.written_at // _GRAIN * _GRAIN
    changed: dict[FeedKey, Feed] = {}
    for key, accounts in _senders(batch).items():
        before = feeds.get(key)
        after = Feed(*key, now, now) if before is None else _heard_at(before, now)
        senders = _with_senders(after.senders, accounts, now // DAY)
        if senders is not after.senders:
            after = msgspec.structs.replace(after, senders=senders)
        if after is not before:
            changed[key] = after
    return changed


def silences(feeds: Mapping[FeedKey, Feed], tenant: str, now: int) -> tuple[Silence, ...]:
    """Return the topics that are silent for a tenant at *now*, or were a short while ago."""
    silences = []
    for topic in _TOPICS.values():
        feed = feeds.get((tenant, topic))
        if feed is None:
            continue
        if is_silent(feed, now):
            silences.append(Silence(topic, feed.last_at, over=False))
        elif feed.back_at >= 0 and now < feed.back_at + CATCHING_UP:
            silences.append(Silence(topic, feed.silent_since, over=True))
    return tuple(silences)


def frozen_for(silences: Iterable[Silence], state: State) -> FrozenSources:
    """Return the topics that are frozen for an account during these silences."""
    frozen: dict[str, int] = {}
    for topic, since, over in silences:
        if over:
            last = state.usage.last_at if topic == USAGE.topic else state.heard.get(topic)
            if last is None or last > since:
                continue
        frozen[topic] = since
    return frozen


def frozen_values(
    measures: Sequence[MeasureDefinition], view: View, frozen: FrozenSources
) -> list[MeasureValue]:
    """Return the values of measures; those of frozen sources as of the time since which they are frozen."""
    if not frozen:  # nearly always
        return [measure(view) for measure in measures]
    views: dict[int, View] = {}
    values = []
    for measure in measures:
        since = min((frozen[topic] for topic in measure.sources if topic in frozen), default=None)
        if since is None:
            values.append(measure(view))
            continue
        if since not in views:
            views[since] = View(view.state, since, view.lost.before(since // DAY))
        value = measure(views[since])
        values.append(msgspec.structs.replace(value, reason=f"{value.reason}{_FROZEN_REASON}", held=True))
    return values


def _senders(batch: JournalBatch) -> dict[FeedKey, list[str]]:
    """Return a few of the accounts that each feed has events of in a batch."""
    senders: dict[FeedKey, list[str]] = {}
    for field, topic in _TOPICS.items():
        for event in getattr(batch, field):
            accounts = senders.setdefault((event.tenant, topic), [])
            if len(accounts) < MIN_ACCOUNTS:
                accounts.append(event.account_id)
    return senders


def _heard_at(feed: Feed, now: int) -> Feed:
    """Return the feed after an event at *now*; itself within the same minute."""
    if now <= feed.last_at:
        return feed
    day, pause = now // DAY, now - feed.last_at
    if is_silent(feed, now):  # an outage is no usual pause
        return msgspec.structs.replace(feed, last_at=now, silent_since=feed.last_at, back_at=now)
    pauses = feed.pauses
    if pause > pauses.get(day, 0):
        recent = {at: longest for at, longest in pauses.items() if at > day - _PAUSE_DAYS}
        pauses = dict(sorted((recent | {day: pause}).items()))
    return msgspec.structs.replace(feed, last_at=now, pauses=pauses)


def _with_senders(senders: dict[int, int], accounts: list[str], day: int) -> dict[int, int]:
    """Return the senders with these accounts; when full, one replaces another that sent nothing lately."""
    for account in accounts:
        sender = brief(account)
        if senders.get(sender) == day:
            continue
        if sender not in senders and len(senders) >= MIN_ACCOUNTS:
            oldest = min(senders, key=lambda key: (senders[key], key))
            if senders[oldest] > day - _ACCOUNT_DAYS:
                continue
            senders = {key: last_day for key, last_day in senders.items() if key != oldest}
        senders = dict(sorted((senders | {sender: day}).items()))
    return senders
