"""Redis sink: writes the serving layout by one script (script.lua), each record by its version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha1
from importlib import resources
from typing import Any

import msgspec
import redis
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from schemas.records import AccountHealth, AccountKpis, RiskAlert
from schemas.times import DAY
from sinks.finite import not_finite
from sinks.port import KEPT, Output, Rejected, SetBackError, SinkEntry, SinkError, Subject
from sinks.redis.client import FIX, connect, public_url
from sinks.redis.erasure import erase_account, erase_person
from sinks.redis.layout import (
    HEALTH_FIELDS,
    KPIS_FIELDS,
    Keys,
    encode_alert,
    encode_health,
    encode_kpis,
    key_pattern,
)
from sinks.redis.reconciliation import entry_of, remove_entry, stored_entries
from sinks.redis.settings import RedisSettings

__all__ = ["RedisSink"]

_SCRIPT = (resources.files("sinks.redis") / "script.lua").read_text()
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_FIELDS = (msgspec.msgpack.encode(HEALTH_FIELDS), msgspec.msgpack.encode(KPIS_FIELDS))
_RECORDS_PER_CALL = 64
"""Redis answers nobody else during a call: about a millisecond at this size."""
_SCAN_KEYS = 1_000
"""Keys asked for, and removed, at once."""
_CLEARING_SECONDS = 30
"""Writes are refused for at most this long after a clearing died."""


class RedisSink:
    """
    Sink of the newest health, rankings, history, alerts and an update stream (docs/redis.md).

    A record is written when it is newer than the one there, by journal time and then sequence number, so a
    batch may come twice, late or in part. The positions lie in the same Redis as the content, so an emptied
    Redis, or an older copy of it, is noticed. For one server or a replicated one, not for Redis Cluster.
    """

    name = "redis"
    records = KEPT

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._keys = Keys(settings.prefix)
        self._client: redis.Redis | None = None
        self._positions: dict[str, int] = {}

    def open(self) -> None:
        """Connect and load the script; raise SinkError when Redis is away, SinkSettingsError for no URL."""
        self._client = connect(self._settings)
        try:
            self._client.script_load(_SCRIPT)
        except RedisError as error:
            raise self._sink_error(error) from error

    def write(self, batch: Sequence[Output], /) -> None:
        """
        Write the batch in its order and return once Redis has all of it.

        Raises SinkError while Redis can't take it (away, loading, read-only, full, or a shared key of
        another type), and Rejected for a record whose own key holds another type or whose numbers are
        not finite; records before and after it in the batch may be written already then.
        """
        if not batch:
            return
        encoded = [_encode(index, record) for index, record in enumerate(batch) if not _only_counted(record)]
        calls = [encoded[at : at + _RECORDS_PER_CALL] for at in range(0, len(encoded), _RECORDS_PER_CALL)]
        for number, answer in enumerate(self._call(calls, self._positions)):
            if len(answer) > 1:
                raise Rejected(number * _RECORDS_PER_CALL + answer[1], answer[2].decode())

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """Return the offset to write next of each part, 0 where it was never written; raise SinkError."""
        names = sorted(parts)
        pipeline = self._connected().pipeline()
        pipeline.exists(self._keys.clearing)
        for name in names:
            pipeline.hsetnx(self._keys.positions, name, "0")
        try:
            clearing, *_ = pipeline.execute()
        except RedisError as error:
            raise self._sink_error(error) from error
        if clearing:
            raise self._sink_error(ResponseError("CLEARING"))
        stored = self.positions()
        self._positions = {name: stored.get(name, 0) for name in names}
        return dict(self._positions)

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Store positions if those stored are as they were left; raise SetBackError and SinkError."""
        known = {part: position for part, position in positions.items() if part in self._positions}
        after = self._positions | known
        self._call([[]], after)
        self._positions = after

    def positions(self) -> dict[str, int]:
        """Return the offset to write next of each part that was written; raise SinkError."""
        try:
            stored = self._connected().hgetall(self._keys.positions)
        except RedisError as error:
            raise self._sink_error(error) from error
        return {part.decode(): int(position) for part, position in stored.items()}

    def entries(self) -> int:
        """Return how many keys there are under the prefix; raise SinkError."""
        try:
            return sum(1 for _ in self._scan())
        except RedisError as error:
            raise self._sink_error(error) from error

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """Remove every key under the prefix; raise SinkError, after which it may be called again."""
        client, keys = self._connected(), self._keys
        try:
            # The positions go first: if this dies halfway, everything is delivered again all the same.
            client.pipeline().set(keys.clearing, "1", ex=_CLEARING_SECONDS).delete(keys.positions).execute()
            page: list[bytes] = []
            removed = 0
            for key in self._scan():
                if key not in (keys.clearing.encode(), keys.positions.encode()):
                    page.append(key)
                if len(page) == _SCAN_KEYS:
                    client.pipeline().unlink(*page).expire(keys.clearing, _CLEARING_SECONDS).execute()
                    removed += len(page)
                    cleared(removed)
                    page = []
            client.delete(keys.clearing, keys.positions, *page)
            cleared(removed + len(page))
        except RedisError as error:
            raise self._sink_error(error) from error

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """Remove what is kept of an account, or a person's name; return how many entries; raise SinkError."""
        erase = erase_person if subject.account_id is None else erase_account
        try:
            return erase(self._connected(), self._keys, subject, dry_run=dry_run)
        except RedisError as error:
            raise self._sink_error(error) from error

    def entry(self, record: AccountHealth | AccountKpis, /) -> SinkEntry:
        """Return the entry that Redis has once it was given this record."""
        return entry_of(record)

    def entries_of(self, kind: type[Output], /) -> Iterator[SinkEntry]:
        """Yield the entry of every account, its places in the rankings included; raise SinkError."""
        try:
            yield from stored_entries(self._connected(), self._keys, kind)
        except RedisError as error:
            raise self._sink_error(error) from error

    def remove(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Remove entries of just these versions; the history of scores stays. Raises SinkError."""
        try:
            for entry in entries:
                remove_entry(self._connected(), self._keys, kind, entry)
        except RedisError as error:
            raise self._sink_error(error) from error

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:  # the library's types mix answers of its sync and async clients
        if self._client is None:
            raise SinkError("the Redis sink is not open")
        return self._client

    def _scan(self) -> Iterator[bytes]:
        pattern = key_pattern(self._settings.prefix)
        yield from self._connected().scan_iter(match=f"{pattern}:*", count=_SCAN_KEYS)

    def _call(self, calls: list[list[tuple[str, ...]]], after: Mapping[str, int]) -> list[list[Any]]:
        """
        Run the script for each list of records and return its answers.

        A call writes nothing unless every position is as this writer left it; they are ``after`` then.
        """
        client, s = self._connected(), self._settings
        head = (s.prefix, s.history, s.updates, s.alert_days * DAY // 1000)
        positions = [(part, str(at), str(after[part])) for part, at in self._positions.items()]
        packed = msgspec.msgpack.encode(positions)
        pipeline = client.pipeline(transaction=False)
        for records in calls:
            pipeline.evalsha(_SHA, 0, *head, msgspec.msgpack.encode(records), packed, *_FIELDS)
        try:
            answers: list[Any] = pipeline.execute(raise_on_error=False)
            if any(isinstance(answer, NoScriptError) for answer in answers):
                # A restarted Redis forgets scripts. What was written already is skipped the second time.
                client.script_load(_SCRIPT)
                return self._call(calls, after)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        except RedisError as error:
            raise self._sink_error(error) from error
        return answers

    def _sink_error(self, error: RedisError) -> SinkError:
        where = public_url(self._settings.url)
        if str(error).startswith("SETBACK"):
            return SetBackError(f"Redis at {where} lost what it held ({error})")
        if str(error).startswith("CLEARING"):
            return SinkError(f"Redis at {where} is being cleared", retry_after=0.5)
        if isinstance(error, OutOfMemoryError):
            return SinkError(f"Redis at {where} is full: raise its maxmemory ({error})", retry_after=5.0)
        if isinstance(error, ReadOnlyError):
            return SinkError(f"Redis at {where} is read-only: name the primary in redis.url", retry_after=5.0)
        if isinstance(error, ResponseError):
            return SinkError(f"Redis at {where} refuses writes: {error}", retry_after=5.0)
        if isinstance(error, BusyLoadingError):
            return SinkError(f"Redis at {where} is loading its data", retry_after=1.0)
        return SinkError(f"Redis at {where} is away: {error}; {FIX}")


def _only_counted(record: Output) -> bool:
    """Tell whether a record is of a shadow alert, which no list shows."""
    return isinstance(record, RiskAlert) and record.shadow


def _encode(index: int, record: Output) -> tuple[str, ...]:
    fault = not_finite(record)
    if fault is not None:
        raise Rejected(index, fault)
    if isinstance(record, AccountHealth):
        return encode_health(record)
    if isinstance(record, AccountKpis):
        return encode_kpis(record)
    if not isinstance(record, RiskAlert):
        raise Rejected(index, "it is no record that a key can keep")
    return encode_alert(record)
