"""
Write-back sink: the newest attributes of accounts, in batches, within the rate and budget of the destination.

Of a batch only the newest record of an account counts, and only if an attribute changed since it was last
taken; the worst bands go first. An item that is refused for good becomes a dead letter, one that is refused
for now is offered again, and those that were taken are not sent again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import xxhash

from schemas.records import BAND_ORDER, AccountHealth
from schemas.times import DAY
from sinks.port import Output, Rejected, SinkError, version
from sinks.writeback.mapping import WritebackMapping, account_values, load_mapping, rendered, value_at
from sinks.writeback.settings import WritebackSettings

__all__ = ["WritebackSink"]

_LONGEST_WRITE_SECONDS = 15.0
"""A write that takes longer makes the role look stuck: what is left is offered again."""
_MOST_ANSWER_BYTES = 4_000_000
_TOO_MANY, _SERVER = 429, 500
_ITEM = tuple[int, str, Any]
"""Index in the batch, id at the destination, and the item as it is sent."""


class WritebackSink:
    """Sink of account attributes over HTTP; what was taken before a restart may be sent once more."""

    records = frozenset[type[Output]]({AccountHealth})

    def __init__(self, name: str, settings: WritebackSettings) -> None:
        self.name = name
        self.calls = 0
        self._settings = settings
        self._mapping: WritebackMapping = load_mapping(settings.mapping)
        self._url = settings.url or self._mapping.url
        self._host = urlsplit(self._url).netloc
        self._runner: asyncio.Runner | None = None
        self._taken: dict[str, bytes] = {}
        self._next_at = 0.0
        self._day, self._used = 0, 0

    def open(self) -> None:
        """Connect and send a request without accounts, as every write does; raise SinkError."""
        self._send([])

    def write(self, batch: Sequence[Output], /) -> None:
        """Send what changed; raise SinkError for what passes, and Rejected for a record refused for good."""
        newest: dict[str, tuple[int, AccountHealth]] = {}
        for index, record in enumerate(batch):
            if isinstance(record, AccountHealth) and not record.deleted and record.merged_into is None:
                key = f"{record.tenant} {record.account_id}"
                if key not in newest or version(newest[key][1]) < version(record):
                    newest[key] = (index, record)
        changed: list[_ITEM] = []
        for index, record in sorted(newest.values(), key=lambda each: _urgency(each[1])):
            values = account_values(record)
            item = rendered(self._mapping.item, values)
            identity = str(rendered(self._mapping.id, values))
            if self._taken.get(identity) != _digest(item):
                changed.append((index, identity, item))
        began = time.monotonic()
        for start in range(0, len(changed), self._mapping.batch):
            if time.monotonic() - began > _LONGEST_WRITE_SECONDS:
                raise SinkError(f"{self._host} is slow: the rest of the batch follows", 0.1)
            self._write_items(changed[start : start + self._mapping.batch])

    def close(self) -> None:
        """Free the client."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def _write_items(self, items: list[_ITEM]) -> None:
        status, answer = self._send([item for _, _, item in items])
        if status >= 400:
            if len(items) == 1:
                raise Rejected(items[0][0], f"{self._host} answered {status}: {_excerpt(answer)}")
            # One bad item may refuse the whole request: halves find it.
            middle = len(items) // 2
            self._write_items(items[:middle])
            self._write_items(items[middle:])
            return
        refused = self._refused(items, answer)
        for _, identity, item in items:
            if identity not in refused:
                self._taken[identity] = _digest(item)
        for index, identity, _ in items:
            if identity in refused and not refused[identity][1]:
                raise Rejected(index, f"{self._host}: {refused[identity][0]}")
        if refused:
            raise SinkError(
                f"{self._host} refused {len(refused)} items for now: {next(iter(refused.values()))[0]}"
            )

    def _refused(self, items: list[_ITEM], answer: Any) -> dict[str, tuple[str, bool]]:
        """Return the refused items by id: the destination's words, and whether the refusal passes."""
        answers = self._mapping.answers
        if answers is None:
            return {}
        entries = value_at(answer, answers.path) or []
        found: dict[str, tuple[str, bool]] = {}
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            if answers.success is not None:
                ids = (
                    [items[number][1]] if number < len(items) and not value_at(entry, answers.success) else []
                )
            else:
                ids = value_at(entry, answers.ids or "") or []
            code = None if answers.code is None else value_at(entry, answers.code)
            for identity in ids:
                found[str(identity)] = (str(value_at(entry, answers.message)), code in answers.retry)
        return found

    def _send(self, items: list[Any]) -> tuple[int, Any]:
        """Send one request within rate and budget; raise SinkError where it is to be repeated."""
        self._spend()
        body = msgspec.json.encode(rendered(self._mapping.body, {"items": items}))
        secret = {"secret": self._settings.secret.get_secret_value()}
        headers = {"content-type": "application/json", **rendered(self._mapping.headers, secret)}
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            status, retry_after, raw = self._runner.run(self._request(body, headers))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkError(f"{self._host} doesn't answer: {type(error).__name__}") from error
        if status in (401, 403):
            raise SinkError(f"{self._host} answered {status}: correct the secret of {self.name}", 30.0)
        if status == _TOO_MANY or status >= _SERVER:
            seconds = float(retry_after) if retry_after.isdecimal() else None
            raise SinkError(f"{self._host} answered {status}", seconds)
        if status >= 400 and not items:
            return status, None
        try:
            return status, msgspec.json.decode(raw) if raw else None
        except msgspec.DecodeError:
            return status, None

    async def _request(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                self._mapping.method, self._url, data=body, headers=headers, allow_redirects=False
            ) as response,
        ):
            raw = await response.content.read(_MOST_ANSWER_BYTES)
            return response.status, response.headers.get("retry-after", ""), raw

    def _spend(self) -> None:
        """Wait for the rate, and count the request; raise SinkError when the day's budget is used up."""
        now = datetime.now(UTC).timestamp()
        day = int(now * 1000) // DAY
        if day != self._day:
            self._day, self._used = day, 0
        if self._used >= self._mapping.daily_requests:
            raise SinkError(
                f"{self._host}: the {self._mapping.daily_requests:,} requests of this UTC day are used up; "
                "what changes meanwhile follows tomorrow",
                (day + 1) * DAY / 1000 - now,
            )
        time.sleep(max(0.0, self._next_at - time.monotonic()))
        self._next_at = time.monotonic() + 1 / self._mapping.requests_per_second
        self._used += 1
        self.calls += 1


def _digest(item: Any) -> bytes:
    return xxhash.xxh3_128_digest(msgspec.json.encode(item))


def _urgency(record: AccountHealth) -> int:
    return BAND_ORDER.index(record.band) if record.band in BAND_ORDER else len(BAND_ORDER)


def _excerpt(answer: Any) -> str:
    return msgspec.json.encode(answer).decode()[:300]
