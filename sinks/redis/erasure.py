"""Erasure in Redis: what is kept of an account, or the name of a person in what stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.identity.naming import named_by, without_name
from sinks.port import Subject
from sinks.redis.layout import HEALTH_FIELDS, KPIS_FIELDS, Keys, key_pattern

__all__ = ["erase_account", "erase_person", "unrank"]

_PAGE = 1_000
_LAST_SEQUENCE = 2**64 - 1


def erase_account(client: Any, keys: Keys, subject: Subject, *, dry_run: bool) -> dict[str, int]:
    """Remove an account's health, KPIs, history, alerts and updates; return how many there are of each."""
    tenant, account_id = subject.tenant, subject.account_id or ""
    key, history = keys.account(tenant, account_id), keys.history(tenant, account_id)
    as_of, kpis_as_of, owner = client.hmget(key, "as_of", "kpis_as_of", "owner")
    health, kpis = _is_old(as_of, subject), _is_old(kpis_as_of, subject)
    changes = len(client.xrange(history, max=f"{subject.until}-{_LAST_SEQUENCE}"))
    alerts = [
        name
        for name, alert in _alerts(client, keys)
        if _is_of(alert, tenant, account_id) and _is_old(alert.get(b"changed_at"), subject)
    ]
    updates = [
        at
        for at, update in _updates(client, keys)
        if _is_of(update, tenant, account_id) and _is_old(update.get(b"as_of"), subject)
    ]
    found = {
        "health and KPIs": health + kpis,
        "history": changes,
        "alerts": len(alerts),
        "updates": len(updates),
    }
    if dry_run:
        return found
    pipeline = client.pipeline()
    gone = [*(HEALTH_FIELDS if health else ()), *(KPIS_FIELDS if kpis else ())]
    if gone:
        pipeline.hdel(key, *gone)
    if health:
        unrank(pipeline, keys, tenant, account_id, owner)
    if changes == client.xlen(history):
        pipeline.delete(history)  # a stream that was trimmed to nothing would keep its key
    else:
        pipeline.xtrim(history, minid=f"{subject.until + 1}", approximate=False)
    for name in alerts:
        pipeline.delete(name)
        pipeline.zrem(keys.alerts(tenant), name.decode().removeprefix(keys.alert("")))
    if updates:
        pipeline.xdel(keys.updates, *updates)
    pipeline.execute()
    return found


def erase_person(client: Any, keys: Keys, subject: Subject, *, dry_run: bool) -> dict[str, int]:
    """Take a person's name out of health and alerts, and remove updates with it; return how many of each."""
    pattern = named_by(subject.texts)
    pipeline = client.pipeline()
    found = {"health": 0, "alerts": 0, "updates": 0}

    def rename(key: bytes, fields: dict[bytes, bytes]) -> int:
        texts = {name: value.decode() for name, value in fields.items()}
        changed = {name: new for name, text in texts.items() if (new := without_name(text, pattern)) != text}
        if changed:
            pipeline.hset(key, mapping=changed)
        return bool(changed)

    for key, alert in _alerts(client, keys):
        if alert.get(b"tenant") == subject.tenant.encode():
            found["alerts"] += rename(key, alert)
    for key in client.scan_iter(match=key_pattern(keys.account(subject.tenant, "")) + "*", count=_PAGE):
        found["health"] += rename(key, client.hgetall(key))
    for at, update in _updates(client, keys):
        ours = update.get(b"tenant") == subject.tenant.encode()
        if ours and pattern.search(update.get(b"owner", b"").decode()):
            found["updates"] += 1
            pipeline.xdel(keys.updates, at)
    for text in subject.texts:
        pipeline.delete(keys.owner(subject.tenant, text))
    if not dry_run:
        pipeline.execute()
    return found


def unrank(pipeline: Any, keys: Keys, tenant: str, account_id: str, owner: bytes | None) -> None:
    """Take an account out of the tenant's rankings and those of its owner; ``None``: it has none."""
    pipeline.zrem(keys.risk(tenant), account_id)
    pipeline.srem(keys.unknown(tenant), account_id)
    if owner is not None:
        pipeline.zrem(keys.owner(tenant, owner.decode()), account_id)


def _alerts(client: Any, keys: Keys) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    for key in client.scan_iter(match=key_pattern(keys.alert("")) + "*", count=_PAGE):
        yield key, client.hgetall(key)


def _updates(client: Any, keys: Keys) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    start = "-"
    while page := client.xrange(keys.updates, start, count=_PAGE):
        yield from page
        start = f"({page[-1][0].decode()}"


def _is_of(fields: dict[bytes, bytes], tenant: str, account_id: str) -> bool:
    return (fields.get(b"tenant"), fields.get(b"account")) == (tenant.encode(), account_id.encode())


def _is_old(at: bytes | None, subject: Subject) -> bool:
    return at is not None and int(at) <= subject.until
