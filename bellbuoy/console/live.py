"""
The live picture of tenants: a copy in memory of what lists show, kept up by the serving sink's updates.

A thread reads the accounts, their latest scores and the open alerts of each tenant that somebody looks at,
then follows the update stream and reads what changed. A page takes the newest picture, which never changes.
While the sink is away the last picture stays, marked; once it answers again everything is read anew.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import structlog

from bellbuoy.console.metrics import SINK_UP, UPDATES
from bellbuoy.times import now as wall_clock
from schemas.records import RiskAlert
from schemas.times import DAY
from sinks.serving import AccountSummary, HistoryEntry, Reader, ReadError, Update

__all__ = ["LivePictures", "Picture", "is_shown"]

log = structlog.get_logger(__name__)

_ALL = 1_000_000
_PAGE = 250
_TREND_ENTRIES = 120
_TREND_DAYS = 28
_UPDATES_PER_READ = 2_000
_BLOCK_MS = 500
_GATHER_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_NEW_READ_MS = 300_000
"""After so long everything is read anew: an update may have been trimmed away before it was read."""


@dataclass(frozen=True, eq=False)
class Picture:
    """
    All that lists show of a tenant, at one moment.

    ``trends`` are each account's scores, one a day at most, the oldest first; ``alerts`` those that are open.
    ``journal_time`` is the newest time that any record carries, UTC milliseconds.
    """

    tenant: str
    version: int = 0
    accounts: dict[str, AccountSummary] = field(default_factory=dict)
    trends: dict[str, tuple[HistoryEntry, ...]] = field(default_factory=dict)
    alerts: dict[str, RiskAlert] = field(default_factory=dict)
    journal_time: int = 0


def is_shown(alert: RiskAlert) -> bool:
    """Tell whether an open alert belongs on a list: one that is only counted does not."""
    return alert.change != "resolved" and not alert.shadow


class LivePictures:
    """
    The newest picture of every tenant that was asked for, and the thread that keeps them.

    ``reader`` opens a reader of the serving sink. ``changes`` counts the changes so far. ``away`` is why the
    sink doesn't answer (``None``: it does), and ``seen_at`` when it last did, UTC milliseconds of this
    machine's clock. An unexpected ``failure`` ends the process: SIGTERM is sent to it.
    """

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self._open = reader
        self._pictures: dict[str, Picture] = {}
        self._wanted: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self.changes = 0
        self.away: str | None = None
        self.seen_at = 0
        self.failure: Exception | None = None

    def start(self) -> None:
        """Start following; call it on the event loop whose streams wait for changes."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(5.0)

    def picture(self, tenant: str) -> Picture | None:
        """Return the newest picture of a tenant; ``None`` until it was read for the first time."""
        self._wanted.add(tenant)
        return self._pictures.get(tenant)

    async def first_picture(self, tenant: str, seconds: float = 1.5) -> Picture | None:
        """Return a picture of a tenant, waiting so long for the first one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            since, picture = self.changes, self.picture(tenant)
            if picture is not None or loop.time() >= deadline or self.away is not None:
                return picture
            await self.changed(since, deadline - loop.time())

    async def changed(self, since: int, seconds: float) -> None:
        """
        Return once there were more than ``since`` changes; after *seconds* at the latest.

        A change is one of a picture, of whether the sink answers, or one that was announced.
        """
        if self.changes != since:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.001, seconds))
        except TimeoutError:
            return

    def announce(self) -> None:
        """Wake up everything that waits for a change; from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self.changes += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                reader = self._open()
                try:
                    self._follow(reader)
                finally:
                    reader.close()
            except ReadError as error:
                if self.away is None:
                    log.warning(
                        "The serving sink is away; the pages show what was read last.", error=str(error)
                    )
                self.away = str(error)
                SINK_UP.set(0)
                self.announce()
                self._stopping.wait(_RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - raised again by the main thread
                self.failure = error
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _follow(self, reader: Reader) -> None:
        after, read_at, known = reader.newest_update(), wall_clock(), set[str]()
        while not self._stopping.is_set():
            if wall_clock() - read_at > _NEW_READ_MS:
                read_at, known = wall_clock(), set()
            for tenant in sorted(self._wanted - known):
                self._put(_read(reader, tenant, self._version(tenant)))
                known.add(tenant)
            if not known:
                reader.newest_update()
            self._answered()
            updates = reader.updates(after, _UPDATES_PER_READ, _BLOCK_MS)
            if not updates:
                continue
            after = updates[-1].id
            UPDATES.inc(len(updates))
            by_tenant: defaultdict[str, list[Update]] = defaultdict(list)
            for update in updates:
                if update.tenant in known:
                    by_tenant[update.tenant].append(update)
            for tenant, some in by_tenant.items():
                self._put(_with_updates(reader, self._pictures[tenant], some))
            self._stopping.wait(_GATHER_SECONDS)

    def _answered(self) -> None:
        self.seen_at = wall_clock()
        SINK_UP.set(1)
        if self.away is not None:
            self.away = None
            log.info("The serving sink is back.")
            self.announce()

    def _version(self, tenant: str) -> int:
        picture = self._pictures.get(tenant)
        return 0 if picture is None else picture.version

    def _put(self, picture: Picture) -> None:
        self._pictures[picture.tenant] = replace(picture, version=picture.version + 1)
        self.announce()


def _read(reader: Reader, tenant: str, version: int) -> Picture:
    accounts = {account.account_id: account for account in reader.accounts(tenant)}
    ids, trends = list(accounts), {}
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        for account_id, entries in zip(page, reader.histories(tenant, page, _TREND_ENTRIES), strict=True):
            trends[account_id] = _daily(reversed(entries))
    alerts = {alert.alert_id: alert for alert in reader.open_alerts(tenant, _ALL) if is_shown(alert)}
    newest = max((account.as_of for account in accounts.values()), default=0)
    return Picture(tenant, version, accounts, trends, alerts, newest)


def _with_updates(reader: Reader, picture: Picture, updates: list[Update]) -> Picture:
    changed = list(dict.fromkeys(one.account_id for one in updates if one.kind != "alert"))
    found: dict[str, AccountSummary] = {}
    for start in range(0, len(changed), _PAGE):
        some = reader.summaries(picture.tenant, changed[start : start + _PAGE])
        found |= {account.account_id: account for account in some}
    gone = set(changed) - found.keys()
    accounts, trends = picture.accounts | found, dict(picture.trends)
    for update in updates:
        if update.kind == "health" and update.account_id in found:
            entry = HistoryEntry(
                as_of=update.as_of, version=update.version, score=update.score, band=update.band
            )
            trends[update.account_id] = _daily((*trends.get(update.account_id, ()), entry))
    for account_id in gone:
        accounts.pop(account_id, None)
        trends.pop(account_id, None)
    alerts = dict(picture.alerts)
    for alert_id in dict.fromkeys(one.alert_id for one in updates if one.alert_id is not None):
        alert = reader.alert(alert_id)
        alerts.pop(alert_id, None)
        if alert is not None and is_shown(alert):
            alerts[alert_id] = alert
    newest = max((update.as_of for update in updates), default=0)
    return replace(
        picture,
        accounts=accounts,
        trends=trends,
        alerts=alerts,
        journal_time=max(picture.journal_time, newest),
    )


def _daily(entries: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """Return the last entry of each day, of the latest days, from entries that are the oldest first."""
    last = {entry.as_of // DAY: entry for entry in entries}
    return tuple(last.values())[-_TREND_DAYS - 8 :]
