"""
Write-back sink: the newest attributes of accounts, in batches, within the rate and budget of the destination.

Delivery gathers records for a while; of what it gathered only the newest record of an account counts, and
only if it is newer than what was last taken and an attribute changed; the worst bands go first. An item that
is refused for good becomes a dead letter, one that is refused for now is offered again, and those that were
taken are not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import xxhash

from schemas.records import BAND_ORDER, AccountHealth
from sinks.port import DailyUse, Output, Rejected, SinkError, SinkSettingsError, version
from sinks.writeback.client import WritebackClient
from sinks.writeback.mapping import load_mapping
from sinks.writeback.settings import WritebackSettings
from sinks.writeback.template import account_values, rendered, value_at

__all__ = ["WritebackSink"]

_LONGEST_WRITE_SECONDS = 15.0
"""A write that takes longer makes the role look stuck: what is left is offered again."""
_BY_HALVES = "*"
"""Stands for an item that an answer refused without naming it."""


Version = tuple[int, int, int]


class _Item(NamedTuple):
    """An account as it is sent: place in the batch, id at the destination, attributes, and version."""

    place: int
    identity: str
    content: Any
    values: dict[str, Any]
    version: Version


class WritebackSink:
    """Sink of account attributes over HTTP; what was taken before a restart may be sent once more."""

    records = frozenset[type[Output]]({AccountHealth})
    gather_records = 10_000

    def __init__(self, name: str, settings: WritebackSettings) -> None:
        self.name = name
        self.gather_seconds = settings.gather_seconds
        self._mapping = load_mapping(settings.mapping)
        if settings.url is None and "YOUR_" in self._mapping.url:
            raise SinkSettingsError(
                f"{settings.mapping} names no host of yours: set `url` of {name} to scheme and host of your "
                f"own instance, in place of {self._mapping.url.split('/')[2]}"
            )
        self.daily_requests = self._mapping.daily_requests
        self._client = WritebackClient(name, self._mapping, settings)
        self._taken: dict[str, tuple[Version, bytes]] = {}

    def open(self) -> None:
        """Send a request that changes nothing, as every write is sent; raise SinkError."""
        self._client.check()

    def used(self) -> DailyUse:
        """Return the requests of the day."""
        return self._client.use

    def group_used(self, use: DailyUse, /) -> None:
        """Go on from the requests that the whole group made."""
        self._client.use = use

    def taken_over(self) -> None:
        """Forget what was taken: other members may have written since."""
        self._taken.clear()

    def write(self, batch: Sequence[Output], /) -> None:
        """Send what changed; raise SinkError for what passes, and Rejected for a record refused for good."""
        began = time.monotonic()
        changed = self._changed(batch)
        for start in range(0, len(changed), self._mapping.batch):
            if time.monotonic() - began > _LONGEST_WRITE_SECONDS:
                raise SinkError(f"{self._client.host} is slow: the rest of the batch follows", 0.1)
            self._write_items(changed[start : start + self._mapping.batch])

    def close(self) -> None:
        """Free the client."""
        self._client.close()

    def _changed(self, batch: Sequence[Output]) -> list[_Item]:
        """Return the newest record of each account that is not there already, the worst bands first."""
        newest: dict[tuple[str, str], tuple[int, AccountHealth]] = {}
        for index, record in enumerate(batch):
            if isinstance(record, AccountHealth) and not record.deleted and record.merged_into is None:
                key = record.tenant, record.account_id
                if key not in newest or version(newest[key][1]) < version(record):
                    newest[key] = (index, record)
        changed = []
        for index, record in sorted(newest.values(), key=lambda each: _urgency(each[1])):
            values = account_values(record)
            content = rendered(self._mapping.item, values | self._client.values)
            identity = str(rendered(self._mapping.id, values))
            item = _Item(index, identity, content, values, version(record))
            taken = self._taken.get(identity)
            if taken is not None and (taken[0] >= item.version or taken[1] == _digest(content)):
                self._taken[identity] = max(taken[0], item.version), taken[1]
            else:
                changed.append(item)
        return changed

    def _write_items(self, items: list[_Item]) -> None:
        host = self._client.host
        reply = self._client.send([each.content for each in items], items[0].values)
        refused = self._refused(items, reply.content) if reply.status < 400 else {_BY_HALVES: ("", False)}
        if _BY_HALVES in refused:
            if len(items) == 1:
                raise Rejected(items[0].place, f"{host} answered {reply.status}: {_excerpt(reply.content)}")
            # One bad item may refuse the whole request: halves find it.
            middle = len(items) // 2
            self._write_items(items[:middle])
            self._write_items(items[middle:])
            return
        for item in items:
            if item.identity not in refused:
                self._taken[item.identity] = item.version, _digest(item.content)
        for item in items:
            if item.identity in refused and not refused[item.identity][1]:
                raise Rejected(item.place, f"{host}: {refused[item.identity][0]}")
        if refused:
            raise SinkError(f"{host} refused {len(refused)} items for now: {next(iter(refused.values()))[0]}")

    def _refused(self, items: list[_Item], answer: Any) -> dict[str, tuple[str, bool]]:
        """Return the refused items by id: the destination's words, and whether the refusal passes."""
        answers = self._mapping.answers
        if answers is None:
            return {}
        if answers.ok is not None and not value_at(answer, answers.ok):
            return {_BY_HALVES: ("", False)}
        found: dict[str, tuple[str, bool]] = {}
        lists = [value_at(answer, path) for path in answers.path]
        entries = [entry for each in lists if isinstance(each, list) for entry in each]
        for number, entry in enumerate(entries):
            ids: list[Any] = [_BY_HALVES]
            if answers.success is not None:
                taken = number >= len(items) or value_at(entry, answers.success)
                ids = [] if taken else [items[number].identity]
            elif answers.ids is not None:
                ids = value_at(entry, answers.ids) or []
            code = None if answers.code is None else value_at(entry, answers.code)
            for identity in ids:
                found[str(identity)] = (str(value_at(entry, answers.message)), code in answers.retry)
        return found


def _digest(content: Any) -> bytes:
    return xxhash.xxh3_128_digest(msgspec.json.encode(content))


def _urgency(record: AccountHealth) -> int:
    return BAND_ORDER.index(record.band) if record.band in BAND_ORDER else len(BAND_ORDER)


def _excerpt(answer: Any) -> str:
    return msgspec.json.encode(answer).decode()[:300]
