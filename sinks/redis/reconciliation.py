"""Entries of Redis for a comparison with Kafka: an account's fields and its places in the rankings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Any

import msgspec

from schemas.records import AccountHealth, AccountKpis
from sinks.port import Output, SinkEntry
from sinks.redis.erasure import unrank
from sinks.redis.layout import HEALTH_FIELDS, KPIS_FIELDS, Keys, encode_health, encode_kpis, key_pattern

__all__ = ["entry_of", "remove_entry", "stored_entries"]

_PAGE = 500
_VERSION: Mapping[type[Output], tuple[str, str]] = {
    AccountHealth: ("as_of", "version"),
    AccountKpis: ("kpis_as_of", "kpis_version"),
}
_FIELDS: Mapping[type[Output], tuple[str, ...]] = {AccountHealth: HEALTH_FIELDS, AccountKpis: KPIS_FIELDS}


def entry_of(record: AccountHealth | AccountKpis) -> SinkEntry:
    """Return the entry of a record that was written."""
    values = encode_health(record) if isinstance(record, AccountHealth) else encode_kpis(record)
    fields = {
        name: value for name, value in zip(_FIELDS[type(record)], values[3:], strict=True) if value != ""
    }
    return _entry(
        record.tenant, record.account_id, record.as_of, record.sequence, fields, _expected_places(record)
    )


def stored_entries(client: Any, keys: Keys, kind: type[Output]) -> Iterator[SinkEntry]:
    """Yield the entry of every account that has health, or KPIs; one in a ranking alone has version 0."""
    page: list[tuple[str, str]] = []
    beginning = keys.account("", "").removesuffix(":")
    for key in client.scan_iter(match=key_pattern(beginning) + "*", count=_PAGE):
        tenant, _, account_id = key.decode().removeprefix(beginning).partition(":")
        page.append((tenant, account_id))
        if len(page) == _PAGE:
            yield from _read(client, keys, kind, page)
            page = []
    yield from _read(client, keys, kind, page)
    if kind is AccountHealth:
        yield from _ranked_alone(client, keys)


def remove_entry(client: Any, keys: Keys, kind: type[Output], entry: SinkEntry) -> None:
    """Remove an account's health and places, or its KPIs, unless it is of another version by now."""
    key = keys.account(entry.tenant, entry.account_id)

    def step(pipeline: Any) -> None:
        *stored, owner = pipeline.hmget(key, *_VERSION[kind], "owner")
        pipeline.multi()
        if [int(each or 0) for each in stored] != [entry.as_of, entry.sequence]:
            return
        pipeline.hdel(key, *_FIELDS[kind])
        if kind is AccountHealth:
            unrank(pipeline, keys, entry.tenant, entry.account_id, owner)

    client.transaction(step, key)


def _read(
    client: Any, keys: Keys, kind: type[Output], accounts: Iterable[tuple[str, str]]
) -> Iterator[SinkEntry]:
    names, pipeline = _FIELDS[kind], client.pipeline(transaction=False)
    for tenant, account_id in accounts:
        pipeline.hmget(keys.account(tenant, account_id), names)
    found = []
    for account, values in zip(accounts, pipeline.execute(), strict=True):
        fields = {
            name: value.decode() for name, value in zip(names, values, strict=True) if value is not None
        }
        if fields:
            found.append((*account, fields))
    places = iter(_places(client, keys, found) if kind is AccountHealth else ())
    for tenant, account_id, fields in found:
        at, number = (int(fields.get(name, 0)) for name in _VERSION[kind])
        yield _entry(tenant, account_id, at, number, fields, next(places, ()))


def _expected_places(record: AccountHealth | AccountKpis) -> tuple[Any, ...]:
    """Return the score in the ranking, the score in the owner's, and whether it is among the unknown."""
    if isinstance(record, AccountKpis):
        return ()
    if record.band == "unknown":
        return None, None, record.merged_into is None
    return record.score, record.score if record.owner else None, False


def _places(
    client: Any, keys: Keys, accounts: Iterable[tuple[str, str, Mapping[str, str]]]
) -> Iterator[tuple[Any, ...]]:
    pipeline = client.pipeline(transaction=False)
    for tenant, account_id, fields in accounts:
        pipeline.zscore(keys.risk(tenant), account_id)
        pipeline.zscore(keys.owner(tenant, fields.get("owner", "")), account_id)
        pipeline.sismember(keys.unknown(tenant), account_id)
    answers = iter(pipeline.execute())
    for score, of_owner, unknown in zip(*[answers] * 3, strict=True):
        yield score, of_owner, bool(unknown)


def _ranked_alone(client: Any, keys: Keys) -> Iterator[SinkEntry]:
    """Yield accounts of a ranking that have no health."""
    for key in client.scan_iter(match=key_pattern(keys.risk("")) + "*", count=_PAGE):
        tenant = key.decode().removeprefix(keys.risk(""))
        members = client.zscan_iter(key, count=_PAGE)
        while page := [(member.decode(), score) for member, score in islice(members, _PAGE)]:
            pipeline = client.pipeline(transaction=False)
            for account_id, _ in page:
                pipeline.hexists(keys.account(tenant, account_id), "as_of")
            for (account_id, score), has_health in zip(page, pipeline.execute(), strict=True):
                if not has_health:
                    yield _entry(tenant, account_id, 0, 0, {}, (score,))


def _entry(
    tenant: str, account_id: str, as_of: int, number: int, fields: Mapping[str, str], places: tuple[Any, ...]
) -> SinkEntry:
    everything = msgspec.msgpack.encode((sorted(fields.items()), places))
    return SinkEntry(tenant, account_id, as_of, number, blake2b(everything, digest_size=16).digest())
