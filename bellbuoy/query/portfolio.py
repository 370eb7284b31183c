"""A tenant's accounts, or some of them, rolled up: as a whole, by parent and by segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from processors.portfolio import By, Hierarchy, RollUp, roll_up, worst
from schemas.suggestions import nearest
from sinks.serving import AccountSummary, Reader

__all__ = ["Group", "NothingThereError", "Portfolio", "as_data", "look_up", "portfolio", "rolled"]

_WORST = 10


class NothingThereError(Exception):
    """No account is meant by what was asked for; the message names what is near."""


@dataclass(frozen=True, slots=True)
class Group:
    """A parent or a segment and its accounts as one; the name is known where a parent is an account."""

    id: str
    name: str | None
    rolled: RollUp


@dataclass(frozen=True, slots=True)
class Portfolio:
    """
    What is shown of some accounts; parents and segments are sorted, the worst first.

    ``only`` says which accounts of the tenant these are, such as ``("owner", "ann")``.
    """

    tenant: str
    by: By
    only: tuple[str, str] | None
    rolled: RollUp
    parents: list[Group]
    segments: list[Group]
    worst: list[AccountSummary]


def look_up(reader: Reader, tenant: str, by: By, only: tuple[str, str] | None = None) -> Portfolio:
    """Return the portfolio as a serving sink has it; raise NothingThereError and ReadError."""
    return portfolio(list(reader.accounts(tenant)), tenant, by, only)


def portfolio(
    accounts: Sequence[AccountSummary], tenant: str, by: By, only: tuple[str, str] | None = None
) -> Portfolio:
    """Return the portfolio of these accounts of a tenant; raise NothingThereError."""
    if not accounts:
        raise NothingThereError(
            f"tenant {tenant} has no scored account: is it spelt so, and does delivery run?"
        )
    hierarchy = Hierarchy(accounts)
    chosen = list(accounts) if only is None else _chosen(accounts, hierarchy, tenant, *only)
    return Portfolio(
        tenant, by, only, roll_up(chosen), _parents(hierarchy, chosen, by, only), _segments(chosen, by),
        worst(chosen, _WORST, by),
    )  # fmt: skip


def rolled(hierarchy: Hierarchy[AccountSummary], parent: str, among: Container[str] | None = None) -> Group:
    """Return a parent's group as one, or those of it that are among these ids."""
    group = hierarchy.group(parent)
    name = next((one.name for one in group if one.account_id == parent), None)
    return Group(parent, name, roll_up(one for one in group if among is None or one.account_id in among))


def as_data(found: Portfolio) -> dict[str, Any]:
    """Return the portfolio for programs; ``score`` is the one asked for."""

    def grouped(groups: Iterable[Group]) -> list[dict[str, Any]]:
        return [
            {"id": group.id, "name": group.name, "score": group.rolled.score(found.by)}
            | msgspec.to_builtins(group.rolled)
            for group in groups
        ]

    kind, value = found.only or (None, None)
    return {
        "tenant": found.tenant,
        "by": found.by,
        "only": None if kind is None else {kind: value},
        "score": found.rolled.score(found.by),
        **msgspec.to_builtins(found.rolled),
        "parents": grouped(found.parents),
        "segments": grouped(found.segments),
        "worst_accounts": msgspec.to_builtins(found.worst),
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
        known = sorted({name for one in accounts if (name := getattr(one, kind))})
        chosen = [one for one in accounts if getattr(one, kind) == value]
    if not chosen:
        near = nearest(value, known, 5) or known[:5]
        hint = f"; did you mean {', '.join(near)}?" if near else f"; no account of it has a {kind}"
        raise NothingThereError(f"tenant {tenant} has no {kind} {value!r}{hint}")
    return chosen


def _parents(
    hierarchy: Hierarchy[AccountSummary],
    chosen: Iterable[AccountSummary],
    by: By,
    only: tuple[str, str] | None,
) -> list[Group]:
    ids = {one.account_id for one in chosen}
    groups = [rolled(hierarchy, parent, ids) for parent in hierarchy.parents if only != ("parent", parent)]
    return _sorted([group for group in groups if group.rolled.accounts], by)


def _segments(chosen: Iterable[AccountSummary], by: By) -> list[Group]:
    members: defaultdict[str, list[AccountSummary]] = defaultdict(list)
    for one in chosen:
        if one.segment is not None:
            members[one.segment].append(one)
    return _sorted([Group(segment, None, roll_up(some)) for segment, some in members.items()], by)


def _sorted(groups: Iterable[Group], by: By) -> list[Group]:
    """Return the groups by score, the lowest first and those without one last."""

    def rank(group: Group) -> tuple[bool, float, str]:
        score = group.rolled.score(by)
        return score is None, score or 0.0, group.id

    return sorted(groups, key=rank)
