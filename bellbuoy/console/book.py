"""
The book: accounts in the order in which they need somebody, with filters that stand in the page's address.

The urgency of an account is what it pays a year, times the square of the share of 100 points that its score
lacks, times how fast it fell: every ten points lost within a week count as much again. (By the square a score
of 20 weighs 16 times as much as one of 80.) An account whose ARR is not known counts with the median of those
known. Amounts of different currencies are ranked by their number, without rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from urllib.parse import urlencode

from bellbuoy.console.live import Picture
from bellbuoy.query.account import payment_risk
from bellbuoy.query.alerts import SEVERITIES
from processors.portfolio import AT_RISK
from schemas.money import places
from schemas.records import BAND_ORDER, RiskAlert
from schemas.times import DAY
from sinks.serving import AccountSummary, HistoryEntry

__all__ = ["BANDS", "SORTS", "Book", "BookFilter", "BookRow", "book", "owners_of"]

BANDS = (*BAND_ORDER, "unknown")
"""The bands in the order of the filter."""

SORTS = ("urgency", "score", "change", "payment_risk", "arr", "renewal", "name")
"""The orders that a book can have."""

_PAGE = 50
_MOST_ROWS = 1_000
_CHANGE_DAYS = 7
_POINTS_AS_MUCH_AGAIN = 10.0


@dataclass(frozen=True, slots=True)
class BookFilter:
    """The filters of a book, as its address has them; '' or 0 is no filter."""

    q: str = ""
    owner: str = ""
    segment: str = ""
    band: str = ""
    lane: str = ""
    renewal: int = 0
    payment_risk: bool = False
    churned: bool = False
    sort: str = "urgency"
    n: int = _PAGE

    @classmethod
    def of(cls, query: Mapping[str, str]) -> BookFilter:
        """Return the filter of an address; what is none there is left out."""
        sort, band = query.get("sort", ""), query.get("band", "")
        return cls(
            q=query.get("q", "").strip()[:200],
            owner=query.get("owner", "")[:200],
            segment=query.get("segment", "")[:200],
            band=band if band in BANDS else "",
            lane=query.get("lane", "")[:40],
            renewal=_number(query.get("renewal", ""), 0, 366),
            payment_risk=query.get("payment_risk") == "1",
            churned=query.get("churned") == "1",
            sort=sort if sort in SORTS else "urgency",
            n=_number(query.get("n", ""), _PAGE, _MOST_ROWS),
        )

    def query(self, **changes: object) -> str:
        """Return the address's part after the question mark, with some values changed."""
        default = BookFilter()
        values = {name: changes.get(name, getattr(self, name)) for name in BookFilter.__slots__}
        said = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in values.items()
            if value != getattr(default, name)
        }
        return urlencode(said)

    @property
    def more(self) -> str:
        """The address of the same book with more rows."""
        return self.query(n=min(self.n + 2 * _PAGE, _MOST_ROWS))

    @property
    def active(self) -> int:
        """How many filters leave accounts out, or let churned ones in; a search is none."""
        chosen = (
            self.owner,
            self.segment,
            self.band,
            self.lane,
            self.renewal,
            self.payment_risk,
            self.churned,
        )
        return sum(map(bool, chosen))

    @property
    def cleared(self) -> str:
        """The address of the same search and order without filters."""
        return BookFilter(q=self.q, sort=self.sort).query()


@dataclass(frozen=True, slots=True)
class BookRow:
    """
    An account on the book.

    ``change`` is by how many points its score moved since ``changed_since`` (``None``: it is new).
    ``payment_risk`` is what involuntary causes take of 100 points, 0 where the model tells none apart.
    """

    account: AccountSummary
    change: float | None
    changed_since: int
    urgency: float
    payment_risk: float
    trend: tuple[HistoryEntry, ...]
    alerts: tuple[RiskAlert, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """
    A tenant's accounts as a page shows them.

    ``rows`` are those that the filter leaves, as many as it asks for, of ``found``. ``arr`` and ``at_risk``
    are sums of those found, in minor units by currency; ``bands`` counts them. The rest are choices for
    filters.
    """

    rows: list[BookRow]
    found: int
    total: int
    bands: dict[str, int]
    arr: dict[str, int]
    at_risk: dict[str, int]
    owners: list[str]
    segments: list[str]
    lanes: list[str]


def book(picture: Picture, wanted: BookFilter, now: int) -> Book:
    """Return the book of a tenant at *now*, UTC milliseconds of the journal's time."""
    rows = _rows(picture, now // DAY)
    found = [row for row in rows if _fits(row, wanted, now)]
    found.sort(key=_ORDER[wanted.sort])
    bands, arr, at_risk = dict.fromkeys(BANDS, 0), dict[str, int](), dict[str, int]()
    for row in found:
        account = row.account
        bands[account.band if account.band in bands else "unknown"] += 1
        if account.arr_minor is not None:
            currency = account.currency or ""
            arr[currency] = arr.get(currency, 0) + account.arr_minor
            if account.band in AT_RISK:
                at_risk[currency] = at_risk.get(currency, 0) + account.arr_minor
    accounts = picture.accounts.values()
    return Book(
        found[: wanted.n],
        len(found),
        len(accounts),
        bands,
        arr,
        at_risk,
        owners_of(picture),
        sorted({account.segment for account in accounts if account.segment}, key=str.casefold),
        sorted({alert.lane for alert in picture.alerts.values()}),
    )


def owners_of(picture: Picture | None) -> list[str]:
    """Return the owners of a tenant's accounts, by name."""
    accounts = () if picture is None else picture.accounts.values()
    return sorted({account.owner for account in accounts if account.owner}, key=str.casefold)


@lru_cache(maxsize=8)
def _rows(picture: Picture, day: int) -> list[BookRow]:
    return list(_made_rows(picture, day))


def _made_rows(picture: Picture, day: int) -> Iterable[BookRow]:
    known = [_major(account) for account in picture.accounts.values() if account.arr_minor]
    usual = median(known) if known else 1.0
    alerts: dict[str, list[RiskAlert]] = {}
    for alert in picture.alerts.values():
        alerts.setdefault(alert.account_id, []).append(alert)
    since = (day - _CHANGE_DAYS + 1) * DAY
    for account_id, account in picture.accounts.items():
        trend = picture.trends.get(account_id, ())
        before = _score_at(trend, since)
        change = None if before is None else round(account.score - before.score, 1)
        lacks = (100 - account.score) / 100
        fell = 0.0 if change is None else max(0.0, -change)
        arr = usual if account.arr_minor is None else _major(account)
        known_band = account.band != "unknown"
        yield BookRow(
            account=account,
            change=change,
            changed_since=0 if before is None else before.as_of,
            urgency=arr * lacks**2 * (1 + fell / _POINTS_AS_MUCH_AGAIN) if known_band else 0.0,
            payment_risk=payment_risk(account.involuntary_score) or 0.0,
            trend=trend,
            alerts=tuple(sorted(alerts.get(account_id, ()), key=_severity)),
        )


def _score_at(trend: tuple[HistoryEntry, ...], since: int) -> HistoryEntry | None:
    """Return the score that held at a time, or the first one known; ``None`` where there is only one."""
    earlier = [entry for entry in trend if entry.as_of < since]
    if earlier:
        return earlier[-1]
    return trend[0] if len(trend) > 1 else None


def _fits(row: BookRow, wanted: BookFilter, now: int) -> bool:
    account = row.account
    if account.stage == "churned" and not wanted.churned:
        return False
    if wanted.owner and account.owner != wanted.owner:
        return False
    if wanted.segment and account.segment != wanted.segment:
        return False
    if wanted.band and account.band != wanted.band:
        return False
    if wanted.lane and all(alert.lane != wanted.lane for alert in row.alerts):
        return False
    if wanted.renewal and not (
        account.renewal_at is not None and now - DAY <= account.renewal_at <= now + wanted.renewal * DAY
    ):
        return False
    if wanted.payment_risk and not row.payment_risk:
        return False
    if wanted.q:
        text = f"{account.name or ''}\n{account.account_id}\n{account.owner or ''}".casefold()
        return all(word in text for word in wanted.q.casefold().split())
    return True


def _severity(alert: RiskAlert) -> int:
    return SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else len(SEVERITIES)


def _major(account: AccountSummary) -> float:
    return float((account.arr_minor or 0) / 10 ** places(account.currency or ""))


def _name(row: BookRow) -> str:
    return (row.account.name or row.account.account_id).casefold()


_ORDER: dict[str, Callable[[BookRow], tuple[float | str, ...]]] = {
    "urgency": lambda row: (-row.urgency, row.account.account_id),
    "score": lambda row: (float(row.account.band == "unknown"), row.account.score, row.account.account_id),
    "change": lambda row: (0.0 if row.change is None else row.change, row.account.account_id),
    "payment_risk": lambda row: (-row.payment_risk, -_major(row.account), row.account.account_id),
    "arr": lambda row: (-_major(row.account), row.account.account_id),
    "renewal": lambda row: (float(row.account.renewal_at or 2**60), row.account.account_id),
    "name": lambda row: (_name(row), row.account.account_id),
}


def _number(text: str, default: int, most: int = 10**9) -> int:
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 10 else default
