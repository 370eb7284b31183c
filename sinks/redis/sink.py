"""The Redis sink: versioned writes of the serving layout, by one script (script.lua)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha1
from importlib import resources
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from schemas.records import AccountHealth, AccountKpis, Measure
from sinks.port import Output, Rejected, SetBackError, SinkError
from sinks.redis.layout import Keys, encode_alert, encode_health, encode_kpis
from sinks.redis.settings import RedisSettings

__all__ = ["RedisSink", "connect"]

_SCRIPT = (resources.files("sinks.redis") / "script.lua").read_text()
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_RECORDS_PER_CALL = 64
"""Redis answers nobody else during a call: about a millisecond at this size."""
_SCAN_KEYS = 1_000
_CLEARING_SECONDS = 30


def connect(settings: RedisSettings, **options: Any) -> redis.Redis:
    """Return a client with bounded waits and one immediate retry, for connections closed while idle."""
    return redis.Redis.from_url(
        settings.url,
        **({"socket_timeout": 5.0, "socket_connect_timeout": 2.0, "retry": Retry(NoBackoff(), 1)} | options),
    )


class RedisSink:
    """
    Newest health, ranking, history, alerts and an update stream, as docs/redis.md lays them out.

    A record is written when it is newer than what is there, by journal time and then sequence, so that
    a batch may come twice, late or in part. What stands beside it of its position goes with it, so that an
    emptied Redis, or an older copy, is noticed. For one server or a replicated one, not Redis Cluster.
    """

    name = "redis"

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._keys = Keys(settings.prefix)
        self._client: redis.Redis | None = None
        self._stands: dict[str, int] = {}

    def open(self) -> None:
        """Connect and load the script; raise SinkError when Redis is away."""
        self._client = connect(self._settings)
        try:
            self._client.script_load(_SCRIPT)
        except RedisError as error:
            raise self._away(error) from error

    def write(self, batch: Sequence[Output], /) -> None:
        """
        Write the batch in its order and return once Redis has all of it.

        Raises SinkError while Redis can't take it (away, loading, read-only, full, or a shared key of
        another type), and Rejected for a record whose own key holds another type or whose numbers are
        not finite; what stands before and after it in the batch may then be written already.
        """
        if not batch:
            return
        encoded = [_encode(index, record) for index, record in enumerate(batch)]
        calls = [encoded[at : at + _RECORDS_PER_CALL] for at in range(0, len(encoded), _RECORDS_PER_CALL)]
        for number, answer in enumerate(self._call(calls, self._stands)):
            if len(answer) > 1:
                raise Rejected(number * _RECORDS_PER_CALL + answer[1], answer[2].decode())

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """Return where each part goes on, 0 where it was never written; raise SinkError."""
        names = sorted(parts)
        pipeline = self._connected().pipeline()
        pipeline.exists(self._keys.clearing)
        for name in names:
            pipeline.hsetnx(self._keys.positions, name, "0")
        try:
            clearing, *_ = pipeline.execute()
        except RedisError as error:
            raise self._away(error) from error
        if clearing:
            raise self._away(ResponseError("CLEARING"))
        found = self.positions()
        self._stands = {name: found.get(name, 0) for name in names}
        return dict(self._stands)

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Note how far parts are written if all stand as they were left; raise SetBackError and SinkError."""
        after = self._stands | {part: positions[part] for part in positions.keys() & self._stands.keys()}
        self._call([[]], after)
        self._stands = after

    def positions(self) -> dict[str, int]:
        """Return how far each part is written; raise SinkError."""
        try:
            found = self._connected().hgetall(self._keys.positions)
        except RedisError as error:
            raise self._away(error) from error
        return {part.decode(): int(position) for part, position in found.items()}

    def entries(self) -> int:
        """Return how many keys there are under the prefix; raise SinkError."""
        try:
            return sum(1 for _ in self._scan())
        except RedisError as error:
            raise self._away(error) from error

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """Remove every key under the prefix; raise SinkError, after which it may be called again."""
        client, keys = self._connected(), self._keys
        try:
            # The positions go first: should this end halfway, everything is delivered again all the same.
            client.pipeline().set(keys.clearing, "1", ex=_CLEARING_SECONDS).delete(keys.positions).execute()
            some: list[bytes] = []
            gone = 0
            for key in self._scan():
                if key not in (keys.clearing.encode(), keys.positions.encode()):
                    some.append(key)
                if len(some) == _SCAN_KEYS:
                    client.pipeline().unlink(*some).expire(keys.clearing, _CLEARING_SECONDS).execute()
                    gone += len(some)
                    cleared(gone)
                    some = []
            client.delete(keys.clearing, keys.positions, *some)
            cleared(gone + len(some))
        except RedisError as error:
            raise self._away(error) from error

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
        pattern = re.sub(r"([\\*?\[\]^-])", r"\\\1", self._settings.prefix)
        yield from self._connected().scan_iter(match=f"{pattern}:*", count=_SCAN_KEYS)

    def _call(self, calls: list[list[tuple[str, ...]]], after: Mapping[str, int]) -> list[list[Any]]:
        """Write, each call where all stands as it was left; the positions then stand at ``after``."""
        client, s = self._connected(), self._settings
        head = (s.prefix, s.history, s.updates, s.alert_days * 86_400)
        places = [(part, str(at), str(after[part])) for part, at in self._stands.items()]
        packed = msgspec.msgpack.encode(places)
        pipeline = client.pipeline(transaction=False)
        for records in calls:
            pipeline.evalsha(_SHA, 0, *head, msgspec.msgpack.encode(records), packed)
        try:
            answers: list[Any] = pipeline.execute(raise_on_error=False)
            if any(isinstance(answer, NoScriptError) for answer in answers):
                # Redis was restarted: it forgets scripts. What was written is skipped the second time.
                client.script_load(_SCRIPT)
                return self._call(calls, after)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        except RedisError as error:
            raise self._away(error) from error
        return answers

    def _away(self, error: RedisError) -> SinkError:
        where = connect_point(self._settings.url)
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
        return SinkError(f"Redis at {where} is away: {error}")


def connect_point(url: str) -> str:
    """Return the URL without its password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _encode(index: int, record: Output) -> tuple[str, ...]:
    if isinstance(record, AccountHealth):
        numbers = record.score + record.coverage + _sum(record.measures)
        numbers += sum(c.contribution + c.limit for c in record.caps)
        if not math.isfinite(numbers):
            raise Rejected(index, "a score, coverage, weight or contribution is not a finite number")
        return encode_health(record)
    if isinstance(record, AccountKpis):
        if not math.isfinite(_sum(record.measures)):
            raise Rejected(index, "a weight or contribution is not a finite number")
        return encode_kpis(record)
    if not math.isfinite(record.score):
        raise Rejected(index, "the score is not a finite number")
    return encode_alert(record)


def _sum(measures: Sequence[Measure]) -> float:
    return sum(measure.contribution + measure.weight for measure in measures)
