"""The inbox: the open alerts of a tenant, the worst first, with what people do about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from bellbuoy.console.live import Picture
from bellbuoy.query.alerts import SEVERITIES
from schemas.records import RiskAlert

__all__ = ["VIEWS", "Inbox", "InboxFilter", "inbox"]

VIEWS = ("new", "taken", "snoozed", "all")
"""New alerts that nobody has, those that somebody has, those put aside, and all of them."""

_PAGE = 50
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """The filters of an inbox, as its address has them; '' is no filter."""

    view: str = "new"
    owner: str = ""
    lane: str = ""
    severity: str = ""
    q: str = ""
    n: int = _PAGE

    @classmethod
    def of(cls, query: Mapping[str, str]) -> InboxFilter:
        """Return the filter of an address; what is none there is left out."""
        view, severity, n = query.get("view", ""), query.get("severity", ""), query.get("n", "")
        return cls(
            view=view if view in VIEWS else "new",
            owner=query.get("owner", "")[:200],
            lane=query.get("lane", "")[:40],
            severity=severity if severity in SEVERITIES else "",
            q=query.get("q", "").strip()[:200],
            n=min(int(n), _MOST) if n.isascii() and n.isdigit() and len(n) < 6 else _PAGE,
        )

    def query(self, **changes: object) -> str:
        """Return the address's part after the question mark, with some values changed."""
        default = InboxFilter()
        values = {name: changes.get(name, getattr(self, name)) for name in InboxFilter.__slots__}
        return urlencode({name: value for name, value in values.items() if value != getattr(default, name)})

    @property
    def active(self) -> int:
        """How many filters leave alerts out; a search is none, nor is a tab."""
        return sum(map(bool, (self.owner, self.lane, self.severity)))

    @property
    def cleared(self) -> str:
        """The address of the same tab and search without filters."""
        return InboxFilter(view=self.view, q=self.q).query()


@dataclass(frozen=True, slots=True)
class Inbox:
    """The alerts that a filter leaves, as many as it asks for, of ``found``; ``counts`` are those by view."""

    alerts: list[RiskAlert]
    found: int
    counts: dict[str, int]
    owners: list[str]
    lanes: list[str]


def inbox(picture: Picture, wanted: InboxFilter, now: int) -> Inbox:
    """Return the inbox of a tenant at *now*, UTC milliseconds of the journal's time."""
    every = picture.alerts.values()
    fitting = [alert for alert in every if _fits(alert, wanted)]
    views: dict[str, list[RiskAlert]] = {view: [] for view in VIEWS}
    for alert in fitting:
        views["all"].append(alert)
        views[_view(alert, now)].append(alert)
    shown = sorted(views[wanted.view], key=_rank)
    owners = {name for alert in every if (name := alert.assignee or alert.owner)}
    return Inbox(
        shown[: wanted.n],
        len(shown),
        {view: len(alerts) for view, alerts in views.items()},
        sorted(owners, key=str.casefold),
        sorted({alert.lane for alert in every}),
    )


def _view(alert: RiskAlert, now: int) -> str:
    if alert.snoozed_until is not None and alert.snoozed_until > now:
        return "snoozed"
    return "taken" if alert.acknowledged_by else "new"


def _rank(alert: RiskAlert) -> tuple[int, int, str]:
    worst = SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else len(SEVERITIES)
    return worst, -alert.opened_at, alert.alert_id


def _fits(alert: RiskAlert, wanted: InboxFilter) -> bool:
    if wanted.owner and wanted.owner not in (alert.owner, alert.assignee):
        return False
    if wanted.lane and alert.lane != wanted.lane:
        return False
    if wanted.severity and alert.severity != wanted.severity:
        return False
    if wanted.q:
        text = f"{alert.name or ''}\n{alert.account_id}\n{alert.title}\n{' '.join(alert.reasons)}".casefold()
        return all(word in text for word in wanted.q.casefold().split())
    return True
