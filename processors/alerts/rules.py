"""
Alert rules: one function a rule, which says how bad things are for an account.

A rule returns a finding with a severity, a finding without one (all is well), or ``None`` where it can't
tell. What a finding does to the alert is in ``processors.alerts.episodes``. A new rule is a new function
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from processors.measures import MEASURES, View, days_silent, failing_invoices, overdue_days
from processors.state.account import Episode
from schemas.inputs import BILLING, SUPPORT, USAGE
from schemas.times import DAY, HOUR

__all__ = ["RULES", "WELL", "Finding", "Rule", "told_measures"]

SETTLING_DAYS = 14
"""An account younger than this (since its first usage) raises no score alert: it is still being set up."""

QUIET_DAYS, LOST_DAYS = 7, 14
"""Days of silence after which a regular user's account is a warning, and then critical."""

_NO_EPISODE = Episode()


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of a rule: a severity ('': all is well), a title of one line, and what to do next."""

    severity: str
    title: str
    action: str = ""


Judge = Callable[[View, str], Finding | None]
"""Function of a rule: from an account and its band to the finding."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    An alert rule; its name is part of the alert's id.

    ``source`` is the topic that it rests on: while that is silent for every account, the rule can't tell.
    ``reads_usage`` says that more usage alone may change the finding, ``judges_band`` that a change of the
    model may. ``tells`` are the measures that its alert tells of: their reasons come first in it, and a band
    that is bad for nothing but their caps is no alert of its own.
    """

    name: str
    judge: Judge
    source: str | None
    reads_usage: bool
    judges_band: bool
    tells: tuple[str, ...]

    def reasons(self, view: View) -> Iterator[str]:
        """Yield what the measures that the alert tells of say, where they say that something is wrong."""
        for name in self.tells:
            value = MEASURES[name](view)
            if value.value:
                yield value.reason


RULES: dict[str, Rule] = {}
"""Every rule by name, in the order in which their alerts are published."""


def _rule(
    name: str,
    *,
    source: str | None = None,
    reads_usage: bool = False,
    judges_band: bool = False,
    tells: tuple[str, ...] = (),
) -> Callable[[Judge], Judge]:
    """Declare the decorated function as the rule of this name."""

    def declare(judge: Judge) -> Judge:
        RULES[name] = Rule(name, judge, source, reads_usage, judges_band, tells)
        return judge

    return declare


def told_measures(view: View) -> frozenset[str]:
    """Return the measures that alerts of their own tell of now, as something is wrong with them."""
    telling = (rule for rule in RULES.values() if rule.tells)
    return frozenset(
        name
        for rule in telling
        if (finding := rule.judge(view, "unknown")) is not None and finding.severity
        for name in rule.tells
    )


WELL = ("watch", "healthy")
"""The bands in which no alert on the band is open."""

_BACK_TO = {band: Finding("", f"Back to {band}") for band in WELL}


@_rule("health", reads_usage=True, judges_band=True)
def at_risk(view: View, band: str) -> Finding | None:
    """Judge the band; can't tell of an account that is still being set up or not known well enough."""
    if (well := _BACK_TO.get(band)) is not None:
        return well
    first = view.state.usage.first_at
    if band == "unknown" or first is None or view.now - first < SETTLING_DAYS * DAY:
        return None
    severity = "critical" if band == "critical" else "warning"
    band_title = "critical" if band == "critical" else "at risk"
    return Finding(severity, f"Health is {band_title}", "Call the champion; open with the first reason")


_USED_AGAIN = Finding("", "Back in the product")


@_rule("quiet", source=USAGE.topic, reads_usage=True, tells=("usage.silence",))
def quiet(view: View, _band: str) -> Finding | None:
    """Judge the silence of an account that used the product regularly before."""
    state, days = view.state, days_silent(view.state, view.now)
    if days is None or state.usage.last_at is None:
        return None
    if days < 2:
        return _USED_AGAIN
    last = state.usage.last_at // DAY
    regular = sum(1 for day in state.usage.days if last - 28 < day <= last) >= 5
    if days < QUIET_DAYS or not (regular or state.episodes.get("quiet", _NO_EPISODE).severity):
        return None
    return Finding(
        "critical" if days >= LOST_DAYS else "warning",
        f"Nobody has used the product for {QUIET_DAYS if days < LOST_DAYS else LOST_DAYS} days",
        "Ask what changed: a holiday, a new tool, a leaving champion",
    )


_CANCELED = Finding("", "Subscription canceled")
_WITHDRAWN = Finding("", "Cancellation withdrawn")


@_rule("canceling", tells=("billing.cancellation",))
def canceling(view: View, _band: str) -> Finding | None:
    """Judge a scheduled cancellation."""
    current = view.subscription
    if current is None:
        return None
    if current.status == "canceling":
        return Finding("critical", "Cancellation scheduled", "Talk to the sponsor before the term ends")
    return _WITHDRAWN if current.status == "active" else _CANCELED


_PAID = Finding("", "Paid")


@_rule("payment", source=BILLING.topic, tells=("billing.payment", "billing.overdue"))
def payment(view: View, _band: str) -> Finding | None:
    """Judge failed payments: first a notice for billing, a warning once retries run out."""
    failing = failing_invoices(view.state)
    attempts = max((invoice.failed_payments for invoice in failing), default=0)
    days = overdue_days(view.state, view.now)
    if attempts >= 3 or days > 30:
        return Finding("warning", "Payment keeps failing", "Bring finance and the sponsor together")
    if attempts:
        return Finding("notice", "A payment failed", "Let billing retry; no call yet")
    return None if days else _PAID


_NONE_URGENT = Finding("", "No urgent ticket open")


@_rule("urgent_ticket", source=SUPPORT.topic, tells=("support.urgent",))
def urgent_ticket(view: View, _band: str) -> Finding | None:
    """Judge urgent tickets open for 48 hours."""
    urgent = [ticket for ticket in view.tickets if ticket.open and ticket.severity == "urgent"]
    if not urgent:
        return _NONE_URGENT
    if all(view.now - ticket.opened_at < 48 * HOUR for ticket in urgent):
        return None
    return Finding("warning", "Urgent ticket open for 48 hours", "Escalate it and tell the customer when")
