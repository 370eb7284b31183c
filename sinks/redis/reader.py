"""Reader of what the Redis sink wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from redis.exceptions import RedisError

from schemas.records import AccountHealth, AccountKpis, RiskAlert, Task
from schemas.suggestions import nearest
from sinks.redis.client import FIX, connect, public_url
from sinks.redis.layout import Keys
from sinks.redis.settings import RedisSettings
from sinks.serving import AccountSummary, HistoryEntry, ReadError, Update

__all__ = ["RedisReader"]

_BLOCK_MS = 2_000
"""The longest single blocking read; well under the socket's timeout."""
_PAGE = 500
"""Accounts asked for at once, so that nobody else waits long for Redis."""
_TEXTS = msgspec.json.Decoder(list[str])
_VALUES: dict[str, Callable[[str], Any]] = {
    "churn_probability": float,
    "coverage": float,
    "involuntary_reasons": _TEXTS.decode,
    "involuntary_score": float,
    "reasons": _TEXTS.decode,
    "renewal_at": int,
    "silent_sources": _TEXTS.decode,
    "tasks": msgspec.json.Decoder(list[Task]).decode,
    "score": float,
    "previous_score": float,
    "arr_minor": int,
    "as_of": int,
    "mrr_before": float,
    "gross_retention": float,
    "net_retention": float,
}


P = ParamSpec("P")
T = TypeVar("T")


def _asks(
    method: Callable[Concatenate[RedisReader, P], T],
) -> Callable[Concatenate[RedisReader, P], T]:
    """Raise ReadError in place of the client's own errors."""

    @wraps(method)
    def asking(self: RedisReader, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except RedisError as error:
            raise ReadError(f"Redis doesn't answer on {self.url} ({error}): {FIX}") from error

    return asking


class RedisReader:
    """
    Reader of the serving layout.

    Raises ReadError when Redis doesn't answer, and at once SinkSettingsError for a URL that is none.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self.url = public_url(settings.url)
        self._keys = Keys(settings.prefix)
        # RESP2 answers are lists in every server version.
        self._client: Any = connect(settings, decode_responses=True, protocol=2)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @_asks
    def account(self, tenant: str, account_id: str, /) -> AccountHealth | None:
        """Return an account's newest health."""
        raw = self._client.hget(self._keys.account(tenant, account_id), "health")
        return None if raw is None else msgspec.json.decode(raw, type=AccountHealth)

    @_asks
    def kpis(self, tenant: str, account_id: str, /) -> AccountKpis | None:
        """Return an account's newest KPIs; they follow its health within a minute."""
        raw = self._client.hget(self._keys.account(tenant, account_id), "kpis")
        return None if raw is None else msgspec.json.decode(raw, type=AccountKpis)

    @_asks
    def riskiest(self, tenant: str, n: int, /, owner: str | None = None) -> list[AccountHealth]:
        """Return up to ``n`` accounts, lowest score first, without those of unknown band."""
        key = self._keys.risk(tenant) if owner is None else self._keys.owner(tenant, owner)
        ids = self._client.zrange(key, 0, n - 1) if n > 0 else []
        raws = self._fields([self._keys.account(tenant, account) for account in ids], "health")
        return [msgspec.json.decode(raw, type=AccountHealth) for raw in raws]

    @_asks
    def unknown(self, tenant: str, /) -> list[str]:
        """Return the ids of the accounts of unknown band, sorted."""
        return sorted(self._client.smembers(self._keys.unknown(tenant)))

    def accounts(self, tenant: str, /) -> Iterator[AccountSummary]:
        """
        Yield every account of a tenant once, those of unknown band included, in no order.

        It is read in pages, so an account that is written meanwhile is yielded as it was or as it is.
        """
        yielded: set[str] = set()
        for page in self._pages(tenant):
            new = [account_id for account_id in dict.fromkeys(page) if account_id not in yielded]
            yielded.update(new)
            yield from self.summaries(tenant, new)

    def history(self, tenant: str, account_id: str, n: int, /) -> list[HistoryEntry]:
        """Return up to ``n`` newest changes of score or band, newest first."""
        return self.histories(tenant, [account_id], n)[0]

    @_asks
    def histories(self, tenant: str, account_ids: Sequence[str], n: int, /) -> list[list[HistoryEntry]]:
        """Return the ``history`` of each of these accounts, in their order."""
        pipeline = self._client.pipeline(transaction=False)
        for account_id in account_ids:
            pipeline.xrevrange(self._keys.history(tenant, account_id), count=n)
        return [[_history_entry(*entry) for entry in entries] for entries in pipeline.execute()]

    @_asks
    def open_alerts(self, tenant: str, n: int, /) -> list[RiskAlert]:
        """Return up to ``n`` open alerts, newest first."""
        ids = self._client.zrevrange(self._keys.alerts(tenant), 0, n - 1) if n > 0 else []
        raws = self._fields([self._keys.alert(alert_id) for alert_id in ids], "alert")
        return [msgspec.json.decode(raw, type=RiskAlert) for raw in raws]

    @_asks
    def alert(self, alert_id: str, /) -> RiskAlert | None:
        """Return an alert, open or resolved."""
        raw = self._client.hget(self._keys.alert(alert_id), "alert")
        return None if raw is None else msgspec.json.decode(raw, type=RiskAlert)

    @_asks
    def updates(self, after_id: str, count: int, /, block_ms: int = 0) -> list[Update]:
        """
        Return up to ``count`` updates after an id, oldest first, waiting up to ``block_ms`` for one.

        The id ``0`` is before the oldest update, ``$`` is the newest one at the time of the call.
        """
        if after_id == "$":
            after_id = self.newest_update()
        deadline = time.monotonic() + block_ms / 1000
        while True:
            wait = min(_BLOCK_MS, int((deadline - time.monotonic()) * 1000))
            answer = self._client.xread(
                {self._keys.updates: after_id}, count=count, block=wait if wait > 0 else None
            )
            if answer or wait <= 0:
                return [_update(entry_id, fields) for _, entries in answer for entry_id, fields in entries]

    @_asks
    def newest_update(self) -> str:
        """Return the id of the newest update, ``0`` if there is none."""
        newest = self._client.xrevrange(self._keys.updates, count=1)
        return newest[0][0] if newest else "0"

    @_asks
    def find(self, tenant: str, text: str, /, n: int = 5) -> list[str]:
        """Return up to ``n`` account ids nearest to what somebody typed, best first."""
        ranked = self._client.zrange(self._keys.risk(tenant), 0, -1)
        return nearest(text, [*ranked, *self.unknown(tenant)], n)

    def _pages(self, tenant: str) -> Iterator[list[str]]:
        """Yield ids in pages; those of unknown band twice, lest one that changes its band be missed."""
        yield from self._members(self._keys.unknown(tenant), self._client.sscan)
        for page in self._members(self._keys.risk(tenant), self._client.zscan):
            yield [account_id for account_id, _ in page]
        yield from self._members(self._keys.unknown(tenant), self._client.sscan)

    def _members(self, key: str, scan: Any) -> Iterator[list[Any]]:
        cursor = 0
        while True:
            cursor, page = self._scan_page(scan, key, cursor)
            yield list(page)
            if not cursor:
                return

    @_asks
    def _scan_page(self, scan: Any, key: str, cursor: int) -> tuple[int, Any]:
        answer: tuple[int, Any] = scan(key, cursor, count=_PAGE)
        return answer

    @_asks
    def summaries(self, tenant: str, account_ids: Sequence[str], /) -> list[AccountSummary]:
        """Return those of these accounts that there are, in their order; one merged into another is none."""
        names = AccountSummary.__struct_fields__[1:]
        pipeline = self._client.pipeline(transaction=False)
        for account_id in account_ids:
            pipeline.hmget(self._keys.account(tenant, account_id), [*names, "merged_into"])
        summaries = []
        for account_id, (*values, merged) in zip(account_ids, pipeline.execute(), strict=True):
            fields = {
                name: _VALUES.get(name, str)(value)
                for name, value in zip(names, values, strict=True)
                if value is not None
            }
            if "score" in fields and merged is None:  # else the account's hash was lost, or it is none
                summaries.append(AccountSummary(account_id=account_id, **fields))
        return summaries

    def _fields(self, keys: list[str], name: str) -> list[str]:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(key, name)
        return [raw for raw in pipeline.execute() if raw is not None]


def _history_entry(entry_id: str, fields: dict[str, str]) -> HistoryEntry:
    as_of, _, version = entry_id.partition("-")
    return HistoryEntry(
        as_of=int(as_of), version=int(version), score=float(fields["score"]), band=fields["band"]
    )


def _update(entry_id: str, fields: dict[str, str]) -> Update:
    present = {name: value for name, value in fields.items() if value != ""}
    present["account_id"] = present.pop("account")
    return msgspec.convert(present | {"id": entry_id}, Update, strict=False)
