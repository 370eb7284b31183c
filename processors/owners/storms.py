"""
Storms: alerts of one rule on many accounts at once, which are an incident of our own and no customer's news.

A tenant's gate counts the accounts on which a rule opened an alert within a time. Beyond the policy's limits
there is a storm: one page goes to whoever has our incidents, and the alerts of the rule are held until no
further account comes for a while, or somebody says that the incident is explained. Before that, a count that
is high for the tenant makes its alerts wait: they may be the first ones of a storm.

    accounts within the time   1   2   3  …  suspicious  …  limit        …                  quiet
    an alert that opens        waits a few seconds       waits longer    held ───────────── released
    the page                                             opened                             resolved
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

import xxhash
from msgspec.structs import replace

from processors.measures.formats import count
from processors.owners.policy import Storms
from processors.owners.rows import Gate, Storm
from processors.state.parts import brief
from processors.state.position import BatchOrigin
from schemas.identity.owners import OWNERS
from schemas.records import RiskAlert
from schemas.times import MINUTE

__all__ = [
    "STORM_RULE",
    "accounts_within",
    "changed",
    "enter",
    "is_suspicious",
    "kind_of",
    "new_storm",
    "passed",
    "storm_limit",
]

STORM_RULE = "storm"
"""The rule in the alert of a storm."""

_MAX_KEPT = 4_096
"""Accounts of a rule that are remembered by name; of more, every second, fourth … is."""

_SUSPICION = 50
"""A count is suspicious from this part of the limit on."""

_FEW = 3
"""Fewer accounts than this are never suspicious."""


def kind_of(alert: RiskAlert) -> str:
    """Return what the alerts of a storm have in common: lane and rule."""
    return f"{alert.lane} {alert.rule}"


def enter(gate: Gate, kind: str, alerts: Iterable[RiskAlert], now: int, within: int) -> None:
    """Count the accounts of alerts of a kind that opened, and forget those of before."""
    recent = {each: at for each, at in gate.recent.get(kind, {}).items() if at > now - within}
    one_in = gate.one_in.get(kind, 1) if recent else 1
    for alert in alerts:
        gate.partitions = max(gate.partitions, alert.partition + 1)
        account = brief(alert.account_id)
        if account % one_in == 0:
            recent[account] = now
    while len(recent) > _MAX_KEPT:
        one_in *= 2
        recent = {each: at for each, at in recent.items() if each % one_in == 0}
    gate.recent[kind], gate.one_in[kind] = recent, one_in
    if (storm := gate.storms.get(kind)) is not None:
        storm.last_at = now


def accounts_within(gate: Gate, kind: str, now: int, within: int) -> int:
    """Return how many accounts came within the time, about where they are very many."""
    recent = sum(at > now - within for at in gate.recent.get(kind, {}).values())
    return recent * gate.one_in.get(kind, 1)


def storm_limit(gate: Gate, policy: Storms, accounts_here: int) -> int:
    """
    Return how many accounts make a storm.

    The tenant's accounts spread evenly over the partitions, so those of this one tell how many there are.
    """
    return max(policy.accounts, ceil(policy.share * accounts_here * gate.partitions))


def is_suspicious(accounts: int, limit: int) -> bool:
    """Tell whether so many accounts came that their alerts may be the first ones of a storm."""
    return accounts >= max(_FEW, limit // _SUSPICION)


def new_storm(alert: RiskAlert, accounts: int, origin: BatchOrigin, within: int) -> Storm:
    """Return the storm that begins with this alert, after so many accounts within the time."""
    kind, now = kind_of(alert), origin.written_at
    named = "\0".join((alert.tenant, OWNERS, STORM_RULE, kind, str(now)))
    return Storm(
        now,
        now,
        RiskAlert(
            alert_id=xxhash.xxh3_128_hexdigest(named.encode()),
            tenant=alert.tenant,
            account_id=OWNERS,
            name="All accounts",
            rule=STORM_RULE,
            episode=1,
            change="opened",
            severity="critical",
            title=f"{accounts:,} accounts have the alert {alert.rule} within "
            f"{count(within // MINUTE, 'minute')}",
            reasons=list(dict.fromkeys([alert.title, *alert.reasons])),
            action="Find what we changed or broke; resolve this when it is explained",
            score=0.0,
            band="unknown",
            opened_at=now,
            changed_at=now,
            received_at=alert.received_at,
            model=alert.model,
            model_version=alert.model_version,
            partition=origin.partition,
            sequence=origin.sequence,
            lane="outage",
            subject=kind,
        ),
    )


def passed(storms: Mapping[str, Storm], now: int, quiet: int) -> list[str]:
    """Return the kinds of the storms to which no account came for so long."""
    return [kind for kind, storm in storms.items() if storm.last_at + quiet <= now]


def changed(storm: Storm, origin: BatchOrigin, **fields: object) -> RiskAlert:
    """Change the alert of a storm, and return it."""
    storm.alert = replace(
        storm.alert,
        changed_at=origin.written_at,
        sequence=origin.sequence,
        partition=origin.partition,
        **fields,
    )
    return storm.alert
