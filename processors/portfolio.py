"""
The roll-up of accounts (a parent with all below it, a segment, a portfolio) and the rank among peers.

What counts:

- A churned account is left out and counted. One of band ``unknown`` has no score to roll up: it is counted.
- *Mean*: every account counts the same, however deep it stands below a parent.
- *By ARR*: an account weighs its ARR against the mean ARR of its currency here. Within one currency this is
  the plain weighted mean. Amounts of different currencies are never compared, so no exchange rate is needed.
  Accounts without ARR weigh nothing and are counted; where none has any there is no such score.
- A parent that is an account itself counts as one of its group.

Scores are rolled up in whole hundredths of a point and rounded half up, so a roll-up never leaves the range
of what went in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import nsmallest
from statistics import quantiles
from typing import Generic, Literal, Protocol, TypeVar

from schemas.records import BAND_ORDER

__all__ = [
    "AT_RISK",
    "LEAST_PEERS",
    "By",
    "Hierarchy",
    "PeerRank",
    "Retention",
    "RollUp",
    "Scored",
    "peer_rank",
    "roll_up",
    "worst",
]

By = Literal["mean", "arr"]

AT_RISK = ("critical", "at_risk")
"""The bands whose ARR is at risk."""

LEAST_PEERS = 5
"""With fewer peers a percentile says nothing."""


class Scored(Protocol):
    """An account's health, as far as a roll-up reads it."""

    @property
    def account_id(self) -> str:
        """Return its id."""

    @property
    def score(self) -> float:
        """Return its score, 0 to 100."""

    @property
    def band(self) -> str:
        """Return its band."""

    @property
    def stage(self) -> str | None:
        """Return its stage of life."""

    @property
    def segment(self) -> str | None:
        """Return its segment."""

    @property
    def parent_id(self) -> str | None:
        """Return what stands above it."""

    @property
    def arr_minor(self) -> int | None:
        """Return its ARR in minor units."""

    @property
    def currency(self) -> str | None:
        """Return the currency of its ARR."""

    @property
    def mrr_before(self) -> float | None:
        """Return its recurring revenue 12 months ago, minor units a month."""

    @property
    def gross_retention(self) -> float | None:
        """Return the share of that which was kept."""

    @property
    def net_retention(self) -> float | None:
        """Return what it pays now as a share of that."""


S = TypeVar("S", bound=Scored)


@dataclass(frozen=True, slots=True)
class Retention:
    """
    The recurring revenue of 12 months ago (minor units a month), and the shares kept of it.

    Of ``accounts`` that paid then, those that have churned since included. Gross leaves expansion out.
    """

    accounts: int
    before: int
    gross: float
    net: float


@dataclass(frozen=True, slots=True)
class RollUp:
    """
    Some accounts as one.

    ``accounts`` counts those that have not churned, ``bands`` the same by band. ``mean`` and ``by_arr`` are
    scores of 0 to 100, ``None`` where nothing is known; ``without_arr`` counts the accounts with a score that
    weigh nothing in ``by_arr``. ``quartiles`` are the lower one, the median and the upper one of the scores,
    ``worst`` is the account with the lowest. ``arr`` and ``arr_at_risk`` are minor units by currency, ''
    where none is named; so is ``retention``.
    """

    accounts: int
    churned: int
    bands: dict[str, int]
    mean: float | None
    by_arr: float | None
    without_arr: int
    quartiles: tuple[float, float, float] | None
    worst: str | None
    arr: dict[str, int]
    arr_at_risk: dict[str, int]
    retention: dict[str, Retention]

    def score(self, by: By) -> float | None:
        """Return the score rolled up one way or the other."""
        return self.mean if by == "mean" else self.by_arr


@dataclass(frozen=True, slots=True)
class PeerRank:
    """
    The rank of an account among the ``peers`` others of its segment.

    The percentile is the share of them that it is better than, ties counted half (``None``: too few peers).
    """

    segment: str
    peers: int
    percentile: float | None


def roll_up(accounts: Iterable[Scored]) -> RollUp:
    """Return these accounts as one."""
    given = list(accounts)
    living = [account for account in given if account.stage != "churned"]
    known = [account for account in living if account.band != "unknown"]
    bands = Counter(account.band for account in living)
    weighed = [account for account in known if _arr(account)]
    lowest = min(known, key=lambda account: (account.score, account.account_id), default=None)
    return RollUp(
        accounts=len(living),
        churned=len(given) - len(living),
        bands={band: bands[band] for band in (*BAND_ORDER, "unknown")},
        mean=_published(Fraction(sum(map(_points, known)), len(known))) if known else None,
        by_arr=_by_arr(weighed),
        without_arr=len(known) - len(weighed),
        quartiles=_quartiles([account.score for account in known]),
        worst=None if lowest is None else lowest.account_id,
        arr=_total(living),
        arr_at_risk=_total(account for account in living if account.band in AT_RISK),
        retention=_retention(given),
    )


def worst(accounts: Iterable[S], n: int, by: By) -> list[S]:
    """
    Return up to ``n`` accounts with a score, worst first.

    By mean, those with the lowest scores; by ARR, those that cost the score by ARR the most.
    """
    known = [account for account in accounts if account.stage != "churned" and account.band != "unknown"]
    if by == "mean":
        return nsmallest(n, known, key=lambda account: (account.score, account.account_id))
    weights = _weights(known)
    cost: dict[str, Fraction] = {}
    for account in known:
        if _arr(account):
            count, total = weights[account.currency]
            lost = 10_000 - _points(account)
            cost[account.account_id] = Fraction(_arr(account) * count * lost, total)
    weighed = [account for account in known if account.account_id in cost]
    return nsmallest(n, weighed, key=lambda account: (-cost[account.account_id], account.account_id))


def peer_rank(account: Scored, accounts: Iterable[Scored]) -> PeerRank | None:
    """
    Return where an account stands in its segment; ``None`` when it has no segment, no score, or has churned.

    With B peers below it and T peers of the same score among N, the percentile is 100 (B + T/2) / N: the
    mid-rank, as of ``scipy.stats.percentileofscore(peers, score, kind="mean")``.
    """
    if account.segment is None or account.band == "unknown" or account.stage == "churned":
        return None
    scores = [
        _points(other)
        for other in accounts
        if other.segment == account.segment
        and other.account_id != account.account_id
        and other.stage != "churned"
        and other.band != "unknown"
    ]
    if len(scores) < LEAST_PEERS:
        return PeerRank(account.segment, len(scores), None)
    own = _points(account)
    below, same = sum(score < own for score in scores), scores.count(own)
    return PeerRank(account.segment, len(scores), 100 * (2 * below + same) / (2 * len(scores)))


class Hierarchy(Generic[S]):
    """
    Accounts below their parents, over any number of levels.

    A parent need not be an account. An account that names itself has no parent, and where parents go in a
    circle each account is met once.
    """

    def __init__(self, accounts: Iterable[S]) -> None:
        self._accounts = {account.account_id: account for account in accounts}
        self._children: defaultdict[str, list[S]] = defaultdict(list)
        for account in self._accounts.values():
            parent = self.parent(account.account_id)
            if parent is not None:
                self._children[parent].append(account)

    @property
    def parents(self) -> list[str]:
        """Return the ids that accounts name as their parent, sorted."""
        return sorted(self._children)

    def parent(self, account_id: str) -> str | None:
        """Return the parent of an account, if it has one."""
        account = self._accounts.get(account_id)
        return None if account is None or account.parent_id == account_id else account.parent_id

    def group(self, parent: str) -> list[S]:
        """Return a parent, if it is an account, and all that stand below it; nothing when it is no parent."""
        if parent not in self._children:
            return []
        return list(self._below(parent))

    def _below(self, parent: str) -> Iterator[S]:
        met, waiting = {parent}, [parent]
        if parent in self._accounts:
            yield self._accounts[parent]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child.account_id not in met:
                    met.add(child.account_id)
                    waiting.append(child.account_id)
                    yield child


def _points(account: Scored) -> int:
    """Return a score in hundredths of a point."""
    return round(account.score * 100)


def _published(points: Fraction) -> float:
    """Return hundredths of a point as a score, rounded half up."""
    return (2 * points.numerator + points.denominator) // (2 * points.denominator) / 100


def _arr(account: Scored) -> int:
    return max(0, account.arr_minor or 0)


def _weights(accounts: Iterable[Scored]) -> dict[str | None, tuple[int, int]]:
    """Return the number of accounts with ARR and their ARR, by currency."""
    counts: Counter[str | None] = Counter()
    totals: Counter[str | None] = Counter()
    for account in accounts:
        if _arr(account):
            counts[account.currency] += 1
            totals[account.currency] += _arr(account)
    return {currency: (count, totals[currency]) for currency, count in counts.items()}


def _by_arr(accounts: Sequence[Scored]) -> float | None:
    if not accounts:
        return None
    brought: Counter[str | None] = Counter()
    for account in accounts:
        brought[account.currency] += _arr(account) * _points(account)
    weights = _weights(accounts)
    together = sum(
        (Fraction(count * brought[currency], total) for currency, (count, total) in weights.items()),
        Fraction(0),
    )
    return _published(together / len(accounts))


def _quartiles(scores: list[float]) -> tuple[float, float, float] | None:
    """Return the quartiles, interpolated linearly between the scores: numpy's usual method."""
    if not scores:
        return None
    lower, median, upper = quantiles(scores, n=4, method="inclusive") if len(scores) > 1 else scores * 3
    return round(lower, 2), round(median, 2), round(upper, 2)


def _retention(accounts: Iterable[Scored]) -> dict[str, Retention]:
    """Return what was kept of the revenue of 12 months ago, by currency."""
    paid: defaultdict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for account in accounts:
        before, gross, net = account.mrr_before, account.gross_retention, account.net_retention
        if before and gross is not None and net is not None:
            paid[account.currency or ""].append((round(before), gross, net))
    found = {}
    for currency, rows in sorted(paid.items()):
        total = sum(before for before, _, _ in rows)
        gross, net = (sum(sorted(row[0] * row[at] for row in rows)) / total for at in (1, 2))
        found[currency] = Retention(len(rows), total, round(gross, 6), round(net, 6))
    return found


def _total(accounts: Iterable[Scored]) -> dict[str, int]:
    """Return ARR by currency."""
    total: Counter[str] = Counter()
    for account in accounts:
        if _arr(account):
            total[account.currency or ""] += _arr(account)
    return dict(sorted(total.items()))
