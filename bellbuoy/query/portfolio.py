"""Roll-up of a tenant's accounts, or of some of them: as a whole, by parent and by segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bellbuoy.errors import OperatorError
from processors.portfolio import By, Hierarchy, RollUp, roll_up, worst
from schemas.suggestions import nearest
from sinks.serving import AccountSummary, Reader

__all__ = ["Group", "NoAccountsError", "Portfolio", "as_data", "look_up", "portfolio", "rolled"]

_WORST_ACCOUNTS = 10


class NoAccountsError(OperatorError):
    """No account matches the request; the message suggests similar names."""


@dataclass(frozen=True, slots=True)
class Group:
    """The roll-up of a parent's or a segment's accounts; ``name`` is that of a parent that is an account."""

    id: str
    name: str | None
    rolled: RollUp


@dataclass(frozen=True, slots=True)
class Portfolio:
    """
    The roll-up of some accounts; parents and segments are sorted, the lowest score first.

    ``only`` is the filter that chose the accounts, such as ``("owner", "ann")``; ``None``: all of the tenant.
    """

    tenant: str
    by: By
    only: tuple[str, str] | None
    rolled: RollUp
    parents: list[Group]
    segments: list[Group]
    worst: list[AccountSummary]


def look_up(reader: Reader, tenant: str, by: By, only: tuple[str, str] | None = None) -> Portfolio:
    """Return the portfolio of a tenant's accounts in a serving sink; raise NoAccountsError and ReadError."""
    return portfolio(list(reader.accounts(tenant)), tenant, by, only)


def portfolio(
    accounts: Sequence[AccountSummary], tenant: str, by: By, only: tuple[str, str] | None = None
) -> Portfolio:
    """Return the portfolio of these accounts of a tenant; raise NoAccountsError."""
    if not accounts:
        raise NoAccountsError(
            f"tenant {tenant} has no scored account: is it spelt so, and does delivery run?"
        )
    hierarchy = Hierarchy(accounts)
    chosen = list(accounts) if only is None else _chosen(accounts, hierarchy, tenant, *only)
    return Portfolio(
        tenant, by, only, roll_up(chosen), _parents(hierarchy, chosen, by, only), _segments(chosen, by),
        worst(chosen, _WORST_ACCOUNTS, by),
    )  # fmt: skip


def rolled(hierarchy: Hierarchy[AccountSummary], parent: str, among: Container[str] | None = None) -> Group:
    """Return the roll-up of a parent and all accounts below it, or only of those ``among`` these ids."""
    group = hierarchy.group(parent)
    name = next((account.name for account in group if account.account_id == parent), None)
    return Group(parent, name, roll_up(a for a in group if among is None or a.account_id in among))


def as_data(portfolio: Portfolio) -> dict[str, Any]:
    """Return the portfolio as data for programs; ``score`` is the one that ``by`` asks for."""

    def grouped(groups: Iterable[Group]) -> list[dict[str, Any]]:
        return [
            {"id": group.id, "name": group.name, "score": group.rolled.score(portfolio.by)}
            | msgspec.to_builtins(group.rolled)
            for group in groups
        ]

    kind, value = portfolio.only or (None, None)
    return {
        "tenant": portfolio.tenant,
        "by": portfolio.by,
        "only": None if kind is None else {kind: value},
        "score": portfolio.rolled.score(portfolio.by),
        **msgspec.to_builtins(portfolio.rolled),
        "parents": grouped(portfolio.parents),
        "segments": grouped(portfolio.segments),
        "worst_accounts": msgspec.to_builtins(portfolio.worst),
    }


def _chosen(
    accounts: Sequence[AccountSummary],
    hierarchy: Hierarchy[AccountSummary],
    tenant: str,
    kind: str,
    value: str,
) -> list[AccountSummary]:
    if kind == "parent":
        known, chosen = hierarchy.parents, hierarchy.group(value)
    else:
        known = sorted({name for account in accounts if (name := getattr(account, kind))})
        value = _meant(value, known)
        chosen = [account for account in accounts if getattr(account, kind) == value]
    if not chosen:
        similar = nearest(value, known, 5) or known[:5]
        hint = f"; did you mean {', '.join(similar)}?" if similar else "; no account of it names one"
        raise NoAccountsError(f"tenant {tenant} has no {kind} {value!r}{hint}")
    return chosen


def _meant(text: str, known: Sequence[str]) -> str:
    """Return the one known name that is *text* in another case, or of which it is a part; else *text*."""
    wanted = text.casefold()
    for found in (
        [name for name in known if name == text],
        [name for name in known if name.casefold() == wanted],
        [name for name in known if wanted in name.casefold()],
    ):
        if len(found) == 1:
            return found[0]
    return text


def _parents(
    hierarchy: Hierarchy[AccountSummary],
    chosen: Iterable[AccountSummary],
    by: By,
    only: tuple[str, str] | None,
) -> list[Group]:
    ids = {account.account_id for account in chosen}
    groups = [rolled(hierarchy, parent, ids) for parent in hierarchy.parents if only != ("parent", parent)]
    return _sorted([group for group in groups if group.rolled.accounts], by)


def _segments(chosen: Iterable[AccountSummary], by: By) -> list[Group]:
    members: defaultdict[str, list[AccountSummary]] = defaultdict(list)
    for account in chosen:
        if account.segment is not None:
            members[account.segment].append(account)
    return _sorted([Group(segment, None, roll_up(group)) for segment, group in members.items()], by)


def _sorted(groups: Iterable[Group], by: By) -> list[Group]:
    """Return the groups sorted by score, the lowest first and those without a score last."""

    def rank(group: Group) -> tuple[bool, float, str]:
        score = group.rolled.score(by)
        return score is None, score or 0.0, group.id

    return sorted(groups, key=rank)
