"""Serving sink in memory: keeps the promises of the Redis sink, inside one process."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence

from schemas.records import AccountHealth, AccountKpis, RiskAlert
from schemas.suggestions import nearest
from sinks.port import KEPT, Output, version
from sinks.serving import AccountSummary, HistoryEntry, Update, summary

__all__ = ["MemorySink"]


class MemorySink:
    """Sink and its Reader in one object; resolved alerts stay until the process ends."""

    name = "memory"
    records = KEPT

    def __init__(self, updates: int = 20_000, history: int = 500) -> None:
        self._accounts: dict[tuple[str, str], AccountHealth] = {}
        self._kpis: dict[tuple[str, str], AccountKpis] = {}
        self._history: dict[tuple[str, str], deque[HistoryEntry]] = defaultdict(lambda: deque(maxlen=history))
        self._alerts: dict[str, RiskAlert] = {}
        self._updates: deque[Update] = deque(maxlen=updates)
        self._changed = threading.Condition()

    def open(self) -> None:
        """Do nothing."""

    def write(self, batch: Sequence[Output], /) -> None:
        """Keep every record that is newer than the one there."""
        with self._changed:
            for record in batch:
                if isinstance(record, AccountHealth):
                    self._write_health(record)
                elif isinstance(record, AccountKpis):
                    self._write_kpis(record)
                elif isinstance(record, RiskAlert) and not record.shadow:
                    self._write_alert(record)
            self._changed.notify_all()

    def close(self) -> None:
        """Do nothing; everything written stays readable."""

    def account(self, tenant: str, account_id: str, /) -> AccountHealth | None:
        """Return an account's newest health."""
        return self._accounts.get((tenant, account_id))

    def kpis(self, tenant: str, account_id: str, /) -> AccountKpis | None:
        """Return an account's newest KPIs; they follow its health within a minute."""
        return self._kpis.get((tenant, account_id))

    def riskiest(self, tenant: str, n: int, /, owner: str | None = None) -> list[AccountHealth]:
        """Return up to ``n`` accounts, lowest score first, without those of unknown band."""
        ranked = [
            a
            for a in list(self._accounts.values())
            if a.tenant == tenant and a.band != "unknown" and owner in (None, a.owner)
        ]
        return sorted(ranked, key=lambda a: (a.score, a.account_id.encode()))[: max(n, 0)]

    def unknown(self, tenant: str, /) -> list[str]:
        """Return the ids of the accounts of unknown band, sorted."""
        return sorted(
            a.account_id
            for a in list(self._accounts.values())
            if a.tenant == tenant and a.band == "unknown" and a.merged_into is None
        )

    def accounts(self, tenant: str, /) -> Iterator[AccountSummary]:
        """Yield every account of a tenant once, those of unknown band included, in no order."""
        yield from self.summaries(tenant, [account for of, account in list(self._accounts) if of == tenant])

    def summaries(self, tenant: str, account_ids: Sequence[str], /) -> list[AccountSummary]:
        """Return those of these accounts that there are, in their order; one merged into another is none."""
        found = ((self._accounts.get(key), key) for key in ((tenant, account) for account in account_ids))
        return [
            summary(health, self._kpis.get(key))
            for health, key in found
            if health is not None and health.merged_into is None
        ]

    def history(self, tenant: str, account_id: str, n: int, /) -> list[HistoryEntry]:
        """Return up to ``n`` newest changes of score or band, newest first."""
        return list(reversed(self._history.get((tenant, account_id), ())))[:n]

    def histories(self, tenant: str, account_ids: Sequence[str], n: int, /) -> list[list[HistoryEntry]]:
        """Return the ``history`` of each of these accounts, in their order."""
        return [self.history(tenant, account_id, n) for account_id in account_ids]

    def open_alerts(self, tenant: str, n: int, /) -> list[RiskAlert]:
        """Return up to ``n`` open alerts, newest first."""
        unresolved = [a for a in list(self._alerts.values()) if a.tenant == tenant and a.change != "resolved"]
        return sorted(unresolved, key=lambda a: (a.opened_at, a.alert_id.encode()), reverse=True)[: max(n, 0)]

    def alert(self, alert_id: str, /) -> RiskAlert | None:
        """Return an alert, open or resolved."""
        return self._alerts.get(alert_id)

    def updates(self, after_id: str, count: int, /, block_ms: int = 0) -> list[Update]:
        """Return up to ``count`` updates after an id, oldest first, waiting up to ``block_ms`` for one."""
        with self._changed:
            if after_id == "$":
                after_id = self.newest_update()
            after = _position(after_id)

            def newer() -> list[Update]:
                return [u for u in self._updates if _position(u.id) > after][:count]

            self._changed.wait_for(lambda: bool(newer()), timeout=block_ms / 1000)
            return newer()

    def newest_update(self) -> str:
        """Return the id of the newest update, ``0`` if there is none."""
        return self._updates[-1].id if self._updates else "0"

    def find(self, tenant: str, text: str, /, n: int = 5) -> list[str]:
        """Return up to ``n`` account ids nearest to what somebody typed, best first."""
        return nearest(text, (account.account_id for account in self.accounts(tenant)), n)

    def _write_health(self, record: AccountHealth) -> None:
        key = (record.tenant, record.account_id)
        old = self._accounts.get(key)
        if old is not None and version(record) <= version(old):
            return
        if record.deleted:
            if old is not None:
                del self._accounts[key]
                self._history.pop(key, None)
                self._append(self._health_update(record, "deleted"))
            return
        self._accounts[key] = record
        if old is None or (old.score, old.band) != (record.score, record.band):
            self._history[key].append(
                HistoryEntry(
                    as_of=record.as_of, version=record.sequence, score=record.score, band=record.band
                )
            )
        self._append(self._health_update(record, "health"))

    def _health_update(self, record: AccountHealth, kind: str) -> Update:
        return Update(
            id=self._next_id(),
            kind=kind,
            tenant=record.tenant,
            account_id=record.account_id,
            score=record.score,
            band=record.band,
            as_of=record.as_of,
            received_at=None if record.deleted else record.received_at,
            version=record.sequence,
        )

    def _write_kpis(self, record: AccountKpis) -> None:
        key = (record.tenant, record.account_id)
        old = self._kpis.get(key)
        if old is not None and version(record) <= version(old):
            return
        if record.deleted:
            self._kpis.pop(key, None)
        else:
            self._kpis[key] = record

    def _write_alert(self, record: RiskAlert) -> None:
        old = self._alerts.get(record.alert_id)
        if old is not None and version(record) <= version(old):
            return
        self._alerts[record.alert_id] = record
        self._append(
            Update(
                id=self._next_id(),
                kind="alert",
                tenant=record.tenant,
                account_id=record.account_id,
                score=record.score,
                band=record.band,
                as_of=record.changed_at,
                received_at=record.received_at,
                version=record.sequence,
                alert_id=record.alert_id,
                rule=record.rule,
                change=record.change,
                severity=record.severity,
                title=record.title,
                owner=record.owner,
            )
        )

    def _append(self, update: Update) -> None:
        self._updates.append(update)

    def _next_id(self) -> str:
        now = time.time_ns() // 1_000_000
        newest = _position(self._updates[-1].id) if self._updates else (0, 0)
        return f"{now}-0" if now > newest[0] else f"{newest[0]}-{newest[1] + 1}"


def _position(update_id: str) -> tuple[int, int]:
    milliseconds, _, counter = update_id.partition("-")
    return int(milliseconds), int(counter or 0)
