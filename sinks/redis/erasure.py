"""Erasure in Redis: what is kept of an account, or the name of a person in what stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.identity.naming import named_by, without_name
from sinks.port import Subject
from sinks.redis.layout import Keys

__all__ = ["erase_account", "erase_person"]

_PAGE = 1_000


def erase_account(client: Any, keys: Keys, subject: Subject, *, dry_run: bool) -> dict[str, int]:
    """Remove an account's health, history, alerts and updates; return how many there are of each."""
    tenant, account_id = subject.tenant, subject.account_id or ""
    own = (keys.account(tenant, account_id), keys.history(tenant, account_id))
    owner = client.hget(own[0], "owner")
    alerts = [key for key, alert in _alerts(client, keys) if _is_of(alert, tenant, account_id)]
    updates = [at for at, update in _updates(client, keys) if _is_of(update, tenant, account_id)]
    found = {"health and history": client.exists(*own), "alerts": len(alerts), "updates": len(updates)}
    if dry_run:
        return found
    pipeline = client.pipeline()
    pipeline.delete(*own)
    pipeline.zrem(keys.risk(tenant), account_id)
    pipeline.srem(keys.unknown(tenant), account_id)
    if owner is not None:
        pipeline.zrem(keys.owner(tenant, owner.decode()), account_id)
    for key in alerts:
        pipeline.delete(key)
        pipeline.zrem(keys.alerts(tenant), key.decode().removeprefix(keys.alert("")))
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
    for key in client.scan_iter(match=_literal(keys.account(subject.tenant, "")) + "*", count=_PAGE):
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


def _alerts(client: Any, keys: Keys) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    for key in client.scan_iter(match=_literal(keys.alert("")) + "*", count=_PAGE):
        yield key, client.hgetall(key)


def _updates(client: Any, keys: Keys) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    start = "-"
    while page := client.xrange(keys.updates, start, count=_PAGE):
        yield from page
        start = f"({page[-1][0].decode()}"


def _is_of(fields: dict[bytes, bytes], tenant: str, account_id: str) -> bool:
    return (fields.get(b"tenant"), fields.get(b"account")) == (tenant.encode(), account_id.encode())


def _literal(text: str) -> str:
    """Return a key's beginning as a pattern that matches itself alone."""
    return "".join(f"\\{each}" if each in "\\*?[]^-" else each for each in text)
