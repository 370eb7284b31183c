"""
Alert rules and episodes.

A rule looks at an account and says how bad it is, or that all is well, or that it can't tell. The
first severity opens an episode, a worse one updates it, all-is-well resolves it, and can't-tell
leaves it alone: an episode is a transition, never a recalculation.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

import xxhash
from msgspec.structs import replace

from processors.measures import View, days_silent, failing_invoices, overdue_days
from processors.state.account import Episode, State
from schemas.inputs import BILLING, SUPPORT, USAGE
from schemas.records import AlertAction
from schemas.times import DAY, HOUR

__all__ = ["RULES", "Change", "Finding", "acknowledge", "alert_id", "decide", "note"]

_RANK = {"": 0, "notice": 1, "warning": 2, "critical": 3}
SETTLING_DAYS = 14
"""An account younger than this (since its first usage) raises no score alert: it is still being set up."""

QUIET_DAYS, LOST_DAYS = 7, 14


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: a severity ('' says all is well), one line in words, and what to do next."""

    severity: str
    title: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an episode, to be published."""

    rule: str
    change: str
    severity: str
    finding: Finding
    episode: Episode


_NEVER = Episode()
_GONE = Finding("", "No customer any more")
_WELL = {band: Finding("", f"Back to {band}") for band in ("watch", "healthy")}
_USED = Finding("", "Back in the product")
_CANCELED = Finding("", "Subscription canceled")
_WITHDRAWN = Finding("", "Cancellation withdrawn")
_PAID = Finding("", "Paid")
_CALM = Finding("", "No urgent ticket open")


def alert_id(tenant: str, account_id: str, rule: str, episode: int) -> str:
    """Return the id of an episode: the same wherever and however often it is computed."""
    return xxhash.xxh3_128_hexdigest("\0".join((tenant, account_id, rule, str(episode))).encode())


def at_risk(view: View, band: str) -> Finding | None:
    """Judge the band; silent on accounts that are still being set up or not known well enough."""
    if (well := _WELL.get(band)) is not None:
        return well
    first = view.state.usage.first_at
    if band == "unknown" or first is None or view.now - first < SETTLING_DAYS * DAY:
        return None
    severity = "critical" if band == "critical" else "warning"
    words = "critical" if band == "critical" else "at risk"
    return Finding(severity, f"Health is {words}", "Call the champion; open with the first reason below")


def quiet(view: View, _band: str) -> Finding | None:
    """Judge the silence of an account that used the product regularly before."""
    state, days = view.state, days_silent(view.state, view.now)
    if days is None or state.usage.last_at is None:
        return None
    if days < 2:
        return _USED
    last = state.usage.last_at // DAY
    regular = sum(1 for day in state.usage.days if last - 28 < day <= last) >= 5
    if days < QUIET_DAYS or not (regular or state.episodes.get("quiet", _NEVER).severity):
        return None
    return Finding(
        "critical" if days >= LOST_DAYS else "warning",
        f"Nobody has used the product for {QUIET_DAYS if days < LOST_DAYS else LOST_DAYS} days",
        "Ask what changed: a holiday, a new tool, a leaving champion",
    )


def canceling(view: View, _band: str) -> Finding | None:
    """Judge a scheduled cancellation."""
    current = view.subscription
    if current is None:
        return None
    if current.status == "canceling":
        return Finding("critical", "Cancellation scheduled", "Talk to the sponsor before the term ends")
    return _WITHDRAWN if current.status == "active" else _CANCELED


def payment(view: View, _band: str) -> Finding | None:
    """Judge failed payments: first a notice for billing, a warning once retries run out."""
    failing = failing_invoices(view.state)
    attempts = max((invoice.failures for invoice in failing), default=0)
    days = overdue_days(view.state, view.now)
    if attempts >= 3 or days > 30:
        return Finding("warning", "Payment keeps failing", "Bring finance and the sponsor together")
    if attempts:
        return Finding("notice", "A payment failed", "Let billing retry; no call yet")
    return None if days else _PAID


def urgent_ticket(view: View, _band: str) -> Finding | None:
    """Judge urgent tickets open for 48 hours."""
    urgent = [ticket for ticket in view.tickets if ticket.open and ticket.severity == "urgent"]
    if not urgent:
        return _CALM
    if all(view.now - ticket.opened_at < 48 * HOUR for ticket in urgent):
        return None
    return Finding("warning", "Urgent ticket open for 48 hours", "Escalate it and tell the customer when")


RULES: dict[str, Callable[[View, str], Finding | None]] = {
    "health": at_risk,
    "quiet": quiet,
    "canceling": canceling,
    "payment": payment,
    "urgent_ticket": urgent_ticket,
}
"""Every rule by name; the name is part of the alert's id."""

_BAND_RULE = "health"
_USED_RULES = {name: RULES[name] for name in ("health", "quiet")}
"""Those of which usage can change the finding; of the others only something else, or time."""

_RESTS_ON = {"quiet": USAGE.topic, "payment": BILLING.topic, "urgent_ticket": SUPPORT.topic}


def decide(
    view: View, band: str, *, held: Container[str] = (), switched: bool = False, usage_only: bool = False
) -> list[Change]:
    """
    Run every rule; change the state's episodes and return what changed, in the rules' order.

    A rule that rests on a ``held`` source can't tell. Where another model has ``switched`` the band, no
    customer has changed: what it opens is muted until it gets worse. After ``usage_only``, before the account
    was due, the other rules find what they found.
    """
    changes = []
    state = view.state
    for rule, judge in (_USED_RULES if usage_only else RULES).items():
        finding = _GONE if view.churned else judge(view, band)
        if finding is None or (_RESTS_ON.get(rule) in held and not view.churned):
            continue
        before = state.episodes.get(rule, _NEVER)
        if not finding.severity and not before.severity:
            continue
        if finding.severity and not before.severity:
            quietly = switched and rule == _BAND_RULE
            after = Episode(before.number + 1, finding.severity, view.now, muted=quietly)
            change = Change(rule, "opened", finding.severity, finding, after)
        elif not finding.severity:
            quietly = before.muted
            after = replace(before, severity="", muted=False)
            change = Change(rule, "resolved", before.severity, finding, after)
        elif _RANK[finding.severity] > _RANK[before.severity]:
            quietly = switched and rule == _BAND_RULE
            if before.muted and not quietly:
                after = replace(before, severity=finding.severity, opened_at=view.now, muted=False)
                change = Change(rule, "opened", finding.severity, finding, after)
            else:
                after = replace(before, severity=finding.severity)
                change = Change(rule, "updated", finding.severity, finding, after)
        else:
            continue
        note(state, rule, after)
        if not after.dismissed and not quietly:
            changes.append(change)
    return changes


def note(state: State, rule: str, episode: Episode) -> None:
    """Keep a rule's episode in the state, in the order of rules, as it is also read from bytes."""
    state.episodes = dict(sorted((state.episodes | {rule: episode}).items()))


def acknowledge(state: State, action: AlertAction) -> list[Change]:
    """
    Fold what a person did with an alert; an alert that isn't open any more stays as it is.

    A dismissed alert is resolved at once and its rule stays silent until all was well again.
    """
    state.applied += 1
    for rule, before in state.episodes.items():
        ours = alert_id(state.tenant, state.account_id, rule, before.number) == action.alert_id
        if not ours or not before.severity or before.dismissed or before.muted:
            continue
        if action.kind == "acknowledged":
            after = replace(before, acknowledged_by=action.author)
            change = Change(
                rule, "updated", before.severity, Finding(before.severity, f"{action.author} is on it"), after
            )
        elif action.kind == "dismissed":
            after = replace(before, dismissed=True)
            change = Change(
                rule, "resolved", before.severity, Finding("", f"Dismissed by {action.author}"), after
            )
        else:
            continue
        note(state, rule, after)
        return [change]
    return []
