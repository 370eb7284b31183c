"""
State that all accounts of a partition share: models and policies in force, and what is known of feeds.

Kept in the changelog beside the accounts' states, under keys that no account has.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from processors.fold.models_in_force import EntryKey, InForce, Models
from processors.fold.policies_in_force import Policies
from processors.lost_days import FeedDays, shortfall, with_report
from processors.model import DEFAULT
from processors.silent_sources import Feed, FeedKey, Outage, changed_feeds, changed_outages
from processors.view import NOTHING_LOST, LostDays
from schemas.inputs import ENGAGEMENT, USAGE
from schemas.records import JournalBatch
from schemas.times import DAY

__all__ = ["SHARED_KEY", "Shared"]

SHARED_KEY = b"\0shared\0"
"""First bytes of every such key; no account key starts with a zero byte."""

_MODEL, _FEED, _POLICY = SHARED_KEY + b"model\0", SHARED_KEY + b"source\0", SHARED_KEY + b"policy\0"
_OUTAGE, _DAYS = SHARED_KEY + b"outage\0", SHARED_KEY + b"days\0"
_encode = msgspec.msgpack.Encoder().encode
_decode_model = msgspec.msgpack.Decoder(InForce).decode
_decode_feed = msgspec.msgpack.Decoder(Feed).decode
_decode_outage = msgspec.msgpack.Decoder(Outage).decode
_decode_days = msgspec.msgpack.Decoder(FeedDays).decode


class Shared:
    """The models, policies and feeds of one partition; an immutable value, ``after`` returns another."""

    def __init__(
        self,
        models: Models | None = None,
        feeds: Mapping[FeedKey, Feed] | None = None,
        policies: Policies | None = None,
        outages: Mapping[FeedKey, Outage] | None = None,
        feed_days: Mapping[FeedKey, FeedDays] | None = None,
    ) -> None:
        self.models = Models(DEFAULT) if models is None else models
        self.feeds = {} if feeds is None else feeds
        self.policies = Policies() if policies is None else policies
        self.outages = {} if outages is None else outages
        self.feed_days = {} if feed_days is None else feed_days

    def after(self, batch: JournalBatch) -> Shared:
        """Return what is shared after a batch; itself where the batch changes nothing of it."""
        models, policies = self.models, self.policies
        if batch.models:
            at = batch.written_at, batch.sequence
            models = models.with_changes(batch.models, *at)
            policies = policies.with_changes(batch.models, *at)
        changed = changed_feeds(self.feeds, batch)
        if models is self.models and policies is self.policies and not (changed or batch.feed_reports):
            return self
        feeds = {**self.feeds, **changed} if changed else self.feeds
        reported: dict[FeedKey, FeedDays] = {}
        for report in batch.feed_reports:
            key = report.tenant, report.topic
            known = reported.get(key) or self.feed_days.get(key, FeedDays(report.tenant, topic=report.topic))
            reported[key] = with_report(known, report)
        feed_days = {**self.feed_days, **reported} if reported else self.feed_days
        return Shared(models, feeds, policies, self.outages, feed_days)

    def lost_days(self, tenant: str) -> LostDays:
        """Return the UTC days on which a tenant's events didn't come."""
        usage, contacts = (self.feed_days.get((tenant, topic)) for topic in (USAGE.topic, ENGAGEMENT.topic))
        if usage is None and contacts is None:
            return NOTHING_LOST
        return LostDays(() if usage is None else usage.lost, () if contacts is None else contacts.lost)

    def with_feed_days(self, changed: Mapping[FeedKey, FeedDays]) -> Shared:
        """Return what is shared with what is known of the days of these feeds."""
        if not changed:
            return self
        feed_days = {**self.feed_days, **changed}
        return Shared(self.models, self.feeds, self.policies, self.outages, feed_days)

    def with_outages(self, now: int) -> tuple[Shared, list[Outage]]:
        """Return what is shared once the outages of *now* are told of, and those that are news."""
        changed = changed_outages(self.feeds, self._shortfalls(), self.outages, now)
        if not changed:
            return self, []
        outages = {**self.outages, **changed}
        shared = Shared(self.models, self.feeds, self.policies, outages, self.feed_days)
        return shared, list(changed.values())

    def _shortfalls(self) -> dict[FeedKey, Outage]:
        """Return the outages of tenants' usage that go on, as their days tell."""
        outages: dict[FeedKey, Outage] = {}
        for (tenant, topic), days in self.feed_days.items():
            if topic == USAGE.topic and days.lost and (going_on := shortfall(days)) is not None:
                newest = going_on.newest
                key = tenant, topic
                outages[key] = Outage(*key, going_on.since * DAY, newest.expected, newest.short)
        return outages

    def entries_since(self, before: Shared) -> dict[bytes, bytes]:
        """Return the changelog entries that differ from those of an earlier value."""
        entries: dict[bytes, bytes] = {}
        if self.models is not before.models:
            for name, entry in self.models.entries.items():
                if before.models.entries.get(name) != entry:
                    entries[_key(_MODEL, *name)] = _encode(entry)
        if self.feeds is not before.feeds:
            for key, feed in self.feeds.items():
                if before.feeds.get(key) is not feed:
                    entries[_key(_FEED, *key)] = _encode(feed)
        if self.policies is not before.policies:
            for tenant, entry in self.policies.entries.items():
                if before.policies.entries.get(tenant) != entry:
                    entries[_key(_POLICY, tenant)] = _encode(entry)
        if self.outages is not before.outages:
            for key, outage in self.outages.items():
                if before.outages.get(key) is not outage:
                    entries[_key(_OUTAGE, *key)] = _encode(outage)
        if self.feed_days is not before.feed_days:
            for key, days in self.feed_days.items():
                if before.feed_days.get(key) is not days:
                    names = key[:1] if days.topic == USAGE.topic else key
                    entries[_key(_DAYS, *names)] = _encode(days)
        return entries

    def with_entries(self, entries: Mapping[bytes, bytes]) -> Shared:
        """Return what is shared with entries read back from the changelog."""
        models: dict[EntryKey, InForce] = dict(self.models.entries)
        feeds, policies = dict(self.feeds), dict(self.policies.entries)
        outages, feed_days = dict(self.outages), dict(self.feed_days)
        for key, raw in entries.items():
            if key.startswith(_MODEL):
                entry = _decode_model(raw)
                models[entry.key] = entry
            elif key.startswith(_FEED):
                feed = _decode_feed(raw)
                feeds[feed.tenant, feed.topic] = feed
            elif key.startswith(_OUTAGE):
                outage = _decode_outage(raw)
                outages[outage.tenant, outage.topic] = outage
            elif key.startswith(_DAYS):
                days = _decode_days(raw)
                feed_days[days.tenant, days.topic] = days
            elif key.startswith(_POLICY):
                entry = _decode_model(raw)
                policies[entry.tenant] = entry
        return Shared(
            self.models.with_entries(models),
            feeds,
            Policies(self.policies.base, policies),
            outages,
            feed_days,
        )


def _key(kind: bytes, *names: str) -> bytes:
    return kind + "\0".join(names).encode()
