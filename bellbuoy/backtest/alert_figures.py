"""Figures of alerts: who has one open, which come true, how soon they come, and which return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bellbuoy.backtest.figure import Figure, Measurement, share_of
from bellbuoy.backtest.fold import AlertSpan, Published
from bellbuoy.backtest.labels import Labels
from bellbuoy.backtest.observations import FIRST_DAY, Observations
from processors.rules import RuleSet
from schemas.times import DAY

__all__ = ["REACHABLE_DAYS", "alert_figures", "by_rule", "delay_figures", "fault_figures"]

REACHABLE_DAYS = 44
"""A cause that began so long before the end could have been seen 30 days ahead."""

_REOPENED_DAYS = 30
_NEAR_DAYS = 14
_MARGIN = 5.0
"""Points of the default model's hysteresis: nearer scores are as bad."""

_TIERS = {
    "urgent alert": ("critical",),
    "urgent or watched alert": ("critical", "warning"),
    "alert": ("critical", "warning", "notice"),
}
"""Alerts by how bad they are; a notice is for another desk, or not worth a call yet."""


def alert_figures(published: Published, seen: Observations, start: int) -> Iterator[Measurement]:
    """Yield how many calm accounts have an open alert, and how many alerts come true."""
    days = len(published.scores)
    calm, everyone = seen.labels.open & seen.labels.calm(), seen.labels.open
    for tier, severities in _TIERS.items():
        having = np.zeros((days, len(published.accounts)), bool)
        for span in published.alerts:
            if span.severity in severities:
                having[span.opened : days if span.ended is None else span.ended, span.account] = True
        for name, rows in (("the book", everyone), ("calm accounts", calm)):
            yield Measurement(
                f"{name} with an open {tier}",
                seen.who[rows],
                share_of(having[seen.day[rows], seen.who[rows]]),
            )
    spans = [span for span in published.alerts if span.opened >= FIRST_DAY]
    for tier, severities in _TIERS.items():
        of_tier = [span for span in spans if span.severity in severities]
        yield _coming_true(of_tier, f"before any notice, each {tier} that comes true", seen, start)
    weeks = (days - FIRST_DAY) / 7
    opened = np.bincount([span.account for span in spans], minlength=len(published.accounts))
    yield Measurement(
        "alerts a week for 100 accounts",
        np.arange(len(opened)),
        lambda rows: float(opened[rows].mean() / weeks * 100),
    )
    yield from _lives(published)


def fault_figures(published: Published, sound: Published | None) -> Iterator[Figure]:
    """
    Yield how many alerts opened only because feeds died, and how many did not open because they did.

    They have none like them near in the world without faults: of the same rule, or of rules of which one at a
    time is open on an account, and open within two weeks. The first are counted once more without alerts on
    the health of an account whose score is hardly worse for it: it is as bad without faults, and only
    falls on the other side of an edge. ``sound`` is what that world publishes; ``None``: not known.
    """
    nan = float("nan")
    names = (
        "alerts that opened only because feeds died",
        "of them, on an account that is 5 points worse for it, or on another sign than the health",
        "alerts that did not open because feeds died",
    )
    if sound is None:
        yield from (Figure(name, nan, nan, nan, 0) for name in names)
        return
    only, missing = _only_in(published, sound), _only_in(sound, published)
    plain = [
        span
        for span in only
        if not _judges_health(published.rules, span.rule)
        or sound.scores[span.opened, span.account] - published.scores[span.opened, span.account] >= _MARGIN
    ]
    for name, spans, of in zip(names, (only, plain, missing), (published, published, sound), strict=True):
        yield Figure(name, float(len(spans)), nan, nan, len(of.alerts))


def _only_in(published: Published, other: Published) -> list[AlertSpan]:
    """Return the alerts that are published and have none like them near in another world."""
    days = len(other.scores)
    others: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for span in other.alerts:
        ended = days if span.ended is None else span.ended
        others.setdefault((span.account, _kind(other.rules, span.rule)), []).append((span.opened, ended))
    return [
        span
        for span in published.alerts
        if not any(
            opened - _NEAR_DAYS <= span.opened <= ended + _NEAR_DAYS
            for opened, ended in others.get((span.account, _kind(published.rules, span.rule)), [])
        )
    ]


def _judges_health(rules: RuleSet, rule: str) -> bool:
    known = rules.rules.get(rule)
    return known is not None and known.reads_health


def _kind(rules: RuleSet, rule: str) -> str:
    known = rules.rules.get(rule)
    return rule if known is None or known.one_of is None else known.one_of


def by_rule(published: Published, seen: Observations, start: int) -> dict[str, Figure]:
    """Return of each rule how many of its alerts before any notice come true."""
    figures = {}
    for rule in sorted({span.rule for span in published.alerts}):
        spans = [span for span in published.alerts if span.rule == rule and span.opened >= FIRST_DAY]
        figures[rule] = _coming_true(spans, rule, seen, start).figure()
    return figures


def _coming_true(spans: Sequence[AlertSpan], name: str, seen: Observations, start: int) -> Measurement:
    """Return how many of these alerts come true, of those that opened before any notice."""
    who = np.array([span.account for span in spans], np.int64)
    at = start + (np.array([span.opened for span in spans], np.int64) + 1) * DAY - 1
    labels = Labels(seen.times, who, at)
    early, true = labels.open, labels.churns_within(90) | labels.in_trouble(0)
    return Measurement(name, who[early], share_of(true[early]))


def delay_figures(published: Published, seen: Observations, start: int) -> Iterator[Measurement]:
    """Yield after how many days half of the causes at work for 44 days had an alert, and how many none."""
    times = seen.times
    first: dict[int, list[int]] = {}
    for span in sorted(published.alerts, key=lambda span: span.opened, reverse=True):
        first.setdefault(span.account, []).append(span.opened)
    who, delays = [], []
    for place in range(len(published.accounts)):
        onset, end = times.onset[place], min(times.leaves[place], times.saved[place])
        day = (onset - start) // DAY
        if (
            not day >= FIRST_DAY
            or (min(end, start + len(published.scores) * DAY) - onset) // DAY < REACHABLE_DAYS
        ):
            continue
        later = [opened for opened in first.get(place, []) if opened >= day and start + opened * DAY < end]
        who.append(place)
        delays.append(min(later) - day if later else np.inf)
    found = np.array(delays)
    groups = np.array(who, np.int64)
    yield Measurement(
        "days from the onset to an alert, half of the causes",
        groups,
        lambda rows: float(np.median(found[rows])),
    )
    yield Measurement("causes at work for 44 days without an alert", groups, share_of(np.isinf(found)))


def _lives(published: Published) -> Iterator[Measurement]:
    """Yield how many alerts that ended opened again within 30 days."""
    opened: dict[tuple[int, str], list[int]] = {}
    for span in published.alerts:
        opened.setdefault((span.account, span.rule), []).append(span.opened)
    last = len(published.scores) - _REOPENED_DAYS
    ended = [span for span in published.alerts if span.ended is not None and span.ended < last]
    again = [
        any(
            0 <= day - (span.ended or 0) <= _REOPENED_DAYS
            for day in opened[span.account, span.rule]
            if day > span.opened
        )
        for span in ended
    ]
    yield Measurement(
        f"alerts that opened again within {_REOPENED_DAYS} days of their end",
        np.array([span.account for span in ended], np.int64),
        share_of(np.array(again, bool)),
    )
