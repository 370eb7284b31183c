"""The team: what each owner has before them, and the segments with what moved in them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from bellbuoy.console.book import BookFilter, BookRow, book
from bellbuoy.console.live import Picture
from bellbuoy.query.portfolio import Portfolio, portfolio
from processors.portfolio import AT_RISK, PeerRank, peer_rank
from sinks.serving import AccountSummary

__all__ = ["OwnerLoad", "Segments", "owner_loads", "segments"]

_MOVERS = 5
_ALL = 1_000_000


@dataclass(slots=True)
class OwnerLoad:
    """
    The load of one owner: accounts, by band, and alerts by state.

    ``at_risk`` is the ARR of accounts at risk, in minor units by currency; ``oldest`` is when the oldest new
    alert opened, UTC milliseconds (0: there is none).
    """

    owner: str
    accounts: int = 0
    bands: Counter[str] = field(default_factory=Counter)
    at_risk: Counter[str] = field(default_factory=Counter)
    new: int = 0
    taken: int = 0
    snoozed: int = 0
    oldest: int = 0


@dataclass(frozen=True, slots=True)
class Segments:
    """
    The roll-up of a tenant by segment, and the accounts that moved most in seven days.

    ``ranks`` are the movers' ranks in their segments, by account.
    """

    portfolio: Portfolio | None
    fell: list[BookRow]
    rose: list[BookRow]
    ranks: dict[str, PeerRank]


def owner_loads(picture: Picture, now: int) -> list[OwnerLoad]:
    """Return the load of every owner, whose accounts have not churned, the most new alerts first."""
    loads: dict[str, OwnerLoad] = {}

    def of(owner: str | None) -> OwnerLoad:
        return loads.setdefault(owner or "", OwnerLoad(owner or ""))

    for account in picture.accounts.values():
        if account.stage != "churned":
            _add(of(account.owner), account)
    for alert in picture.alerts.values():
        load = of(alert.assignee or alert.owner)
        if alert.snoozed_until is not None and alert.snoozed_until > now:
            load.snoozed += 1
        elif alert.acknowledged_by:
            load.taken += 1
        else:
            load.new += 1
            load.oldest = min(load.oldest or alert.opened_at, alert.opened_at)
    return sorted(loads.values(), key=lambda load: (-load.new, -load.at_risk.total(), load.owner))


def _add(load: OwnerLoad, account: AccountSummary) -> None:
    load.accounts += 1
    load.bands[account.band] += 1
    if account.band in AT_RISK and account.arr_minor is not None:
        load.at_risk[account.currency or ""] += account.arr_minor


def segments(picture: Picture, now: int) -> Segments:
    """Return a tenant's segments at *now*, UTC milliseconds of the journal's time."""
    if not picture.accounts:
        return Segments(None, [], [], {})
    every = book(picture, BookFilter(n=_ALL), now).rows
    rows = [row for row in every if row.change and row.account.band != "unknown"]
    fell = sorted((row for row in rows if (row.change or 0) < 0), key=lambda row: row.change or 0)
    rose = sorted((row for row in rows if (row.change or 0) > 0), key=lambda row: -(row.change or 0))
    peers = defaultdict[str | None, list[AccountSummary]](list)
    for account in picture.accounts.values():
        peers[account.segment].append(account)
    movers = [row.account for row in (*fell[:_MOVERS], *rose[:_MOVERS])]
    ranks = {mover.account_id: peer_rank(mover, peers[mover.segment]) for mover in movers}
    return Segments(
        portfolio(list(picture.accounts.values()), picture.tenant, "mean"),
        fell[:_MOVERS],
        rose[:_MOVERS],
        {account_id: rank for account_id, rank in ranks.items() if rank is not None},
    )
