"""Explanation of an account, read from a serving sink: health, KPIs, open alerts, latest scores and rank."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from bellbuoy.query.portfolio import Group as Rolled
from bellbuoy.query.portfolio import rolled
from processors.measures import MEASURES
from processors.portfolio import Hierarchy, PeerRank, RollUp, peer_rank, roll_up
from schemas.records import AccountHealth, AccountKpis, Measure, RiskAlert
from sinks.serving import AccountSummary, HistoryEntry, Reader, summary

__all__ = [
    "Explanation",
    "as_data",
    "informing_measures",
    "look_up",
    "needed_coverage",
    "payment_risk",
    "window_of",
]

_HISTORY_ENTRIES = 40


class Explanation(msgspec.Struct, frozen=True):
    """
    An account's health, its open alerts, and its latest scores, newest first.

    ``kpis`` are the newest (``None``: not published yet); they follow the health within a minute.
    ``standing`` is its rank in its segment, ``parent`` the roll-up of the parent that it belongs to, and
    ``group`` the roll-up of itself and all accounts below it, where there are any.
    """

    health: AccountHealth
    alerts: list[RiskAlert]
    history: list[HistoryEntry]
    kpis: AccountKpis | None = None
    standing: PeerRank | None = None
    parent: Rolled | None = None
    group: RollUp | None = None


def look_up(
    reader: Reader, tenant: str, account_id: str, accounts: Collection[AccountSummary] | None = None
) -> tuple[Explanation | None, list[str]]:
    """
    Return an account's explanation, or ``None`` and the most similar ids; raise ReadError.

    ``accounts`` are all of the tenant, where the caller has them already.
    """
    health = reader.account(tenant, account_id)
    if health is None:
        return None, reader.find(tenant, account_id)
    alerts = [alert for alert_id in health.open_alerts if (alert := reader.alert(alert_id)) is not None]
    kpis = reader.kpis(tenant, account_id)
    accounts = list(reader.accounts(tenant)) if accounts is None else accounts
    hierarchy = Hierarchy(accounts)
    parent, group = hierarchy.parent(account_id), hierarchy.group(account_id)
    return Explanation(
        health,
        alerts,
        reader.history(tenant, account_id, _HISTORY_ENTRIES),
        kpis,
        peer_rank(summary(health, kpis), accounts),
        None if parent is None else rolled(hierarchy, parent),
        roll_up(group) if group else None,
    ), []


def as_data(explanation: Explanation, now: int) -> dict[str, Any]:
    """
    Return the explanation as data for programs: the health record's fields, then alerts, history and ranks.

    Its measures are followed by those that only inform, as of ``kpis_as_of``. Each has its ``window`` in
    words (``None``: a measure unknown to this build), and ``age_ms``: how old its evidence is at
    *now*, where it has a time.
    """
    data: dict[str, Any] = msgspec.to_builtins(explanation)
    health: dict[str, Any] = data.pop("health")
    del data["kpis"]
    health["measures"] += msgspec.to_builtins(informing_measures(explanation))
    data["kpis_as_of"] = None if explanation.kpis is None else explanation.kpis.as_of
    for measure in health["measures"]:
        measure["window"] = window_of(measure["name"])
        measure["age_ms"] = None if measure["as_of"] is None else now - measure["as_of"]
    return health | data


def informing_measures(explanation: Explanation) -> list[Measure]:
    """Return the measures that only inform: those of the KPIs that the health record does not have."""
    counted = {measure.name for measure in explanation.health.measures}
    measures = [] if explanation.kpis is None else explanation.kpis.measures
    return [measure for measure in measures if measure.name not in counted]


def needed_coverage(health: AccountHealth) -> float | None:
    """Return the share of the weights that a band needs; ``None`` by a model that is not in this build."""
    from processors.model import DEFAULT  # noqa: PLC0415 - conditions take long to load, and few accounts ask

    model = DEFAULT if (health.model, health.model_version) == (DEFAULT.name, DEFAULT.version) else None
    return None if model is None or health.variant else model.plan.min_coverage


def payment_risk(involuntary_score: float | None) -> float | None:
    """
    Return what involuntary causes, such as failed payments, take of 100 points, to a tenth.

    ``None``: the model tells none apart.
    """
    return None if involuntary_score is None else round(100 - involuntary_score, 1)


def window_of(measure: str) -> str | None:
    """Return a measure's window in words; ``None`` for a measure unknown to this build."""
    definition = MEASURES.get(measure)
    return None if definition is None else definition.window
