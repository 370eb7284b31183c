"""
Measures of the performance that the customer lives with: errors, latency and uptime.

They are shares and means of what came: a lost day that was filled in would tell twice what other days told.
"""

from __future__ import annotations

from processors.measures.definition import PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import Day
from processors.state.usage_parts import PAST
from processors.view import View
from schemas.records import AccountProfile, UsageEvent

__all__ = ["errors", "failures", "latency", "latency_rise", "slowdown", "uptime"]

_ENOUGH_EVENTS = 20
"""With fewer events in 7 days the share of errors is that of 28: one error of two events says little."""

_FEW_EVENTS = 20

_SLOWER = (
    ago(range(8, 30), UsageEvent, name="Report Viewed", latency_ms=200),
    ago((1, 3, 5), UsageEvent, name="Report Viewed", latency_ms=320),
)


@measure(
    "performance.errors",
    kpi="Product errors",
    unit="ratio",
    window="7 days; 28 with under 20 events",
    sources=(USAGE,),
    needs="usage in 28 days",
    example=(
        ago(range(28), UsageEvent, name="Report Viewed"),
        ago((4, 9), UsageEvent, name="Report Viewed", error=True),
    ),
)
def errors(view: View) -> MeasureValue:
    """Return the share of the usage events in which the product failed the person."""
    days, usage = 7, view.unfilled.week
    if usage.events < _ENOUGH_EVENTS:
        days, usage = 28, view.unfilled.month
    if not usage.events:
        return MeasureValue(None, "No usage in 28 days")
    share = usage.errors / usage.events
    return MeasureValue(share, f"{share:.1%} of {count(usage.events, 'event')} failed in {days} days")


@measure(
    "performance.failures",
    kpi="Product errors",
    unit="ratio",
    window="28 complete days",
    sources=(USAGE,),
    needs="nothing: 0 without a failed event",
    example=(
        ago(range(28), UsageEvent, name="Report Viewed"),
        ago((4, 9), UsageEvent, name="Report Viewed", error=True),
    ),
    reads=PAST,
)
def failures(view: View) -> MeasureValue:
    """
    Return the share of failed events of 28 complete days, with a hundred events added that did not fail.

    So one failure of two events says little, and a lasting share of failures is not forgotten with the week.
    """
    usage = view.unfilled.complete_month
    share = usage.errors / (usage.events + 100)
    if not usage.errors:
        return MeasureValue(0, "No failed event in 28 days")
    return MeasureValue(share, f"{usage.errors:,} of {count(usage.events, 'event')} failed in 28 days")


@measure(
    "performance.latency",
    kpi="Product latency",
    unit="milliseconds",
    window="7 days",
    sources=(USAGE,),
    needs="usage with latencies in 7 days",
    example=_SLOWER,
)
def latency(view: View) -> MeasureValue:
    """Return how long the product let people wait, on average."""
    mean = _mean(view.unfilled.week)
    if mean is None:
        return MeasureValue(None, "No latency reported in 7 days")
    return MeasureValue(mean, f"People wait {mean:,.0f} ms on average")


@measure(
    "performance.slowdown",
    kpi="Product latency",
    unit="ratio of usual",
    window="7 days against the 28 before",
    sources=(USAGE,),
    needs="usage with latencies in both",
    example=_SLOWER,
)
def slowdown(view: View) -> MeasureValue:
    """Return how long people wait for the product, as a ratio of the weeks before."""
    came = view.unfilled
    mean, usual = _mean(came.week), _mean(came.month_before)
    if mean is None or not usual:
        return MeasureValue(None, "No latency to compare with")
    ratio = min(mean / usual, 99.0)
    return MeasureValue(ratio, f"People wait {mean:,.0f} ms on average, {usual:,.0f} ms in the weeks before")


@measure(
    "performance.latency_rise",
    kpi="Product latency",
    unit="change",
    window="14 days against the days 43 to 90 before",
    sources=(USAGE,),
    needs="nothing: 0 without latencies of two months ago",
    example=(
        ago(range(43, 90), UsageEvent, name="Report Viewed", latency_ms=200),
        ago(range(1, 14), UsageEvent, name="Report Viewed", latency_ms=320),
    ),
    reads=PAST,
)
def latency_rise(view: View) -> MeasureValue:
    """
    Return the change of how long people wait for the product, against two to three months ago.

    It is that of 14 complete days. Twenty events as of then are added, so that few events make no rise.
    """
    now, past = view.unfilled.fortnight, view.unfilled.months_ago
    usual = _mean(past)
    if not usual or not now.latencies:
        return MeasureValue(0, "No latency of months ago to compare with")
    mean = (now.latency_ms + _FEW_EVENTS * usual) / (now.latencies + _FEW_EVENTS)
    change = min(mean / usual - 1, 99.0)
    return MeasureValue(change, f"People wait {mean:,.0f} ms on average, {usual:,.0f} ms two months ago")


@measure(
    "performance.uptime",
    kpi="Product uptime",
    unit="ratio",
    window="28 days, as reported",
    sources=(PROFILES,),
    needs="uptime_ppm in the profile",
    example=(ago(3, AccountProfile, uptime_ppm=998_700),),
)
def uptime(view: View) -> MeasureValue:
    """Return the share of the time for which the product was up, as the account's monitoring reported."""
    known = view.state.profile.get("uptime_ppm")
    if known is None:
        return MeasureValue(None, "No uptime reported")
    (at, _), ppm = known
    share = int(ppm) / 1_000_000
    return MeasureValue(share, f"The product was up {share:.2%} of the time", as_of=at)


def _mean(usage: Day) -> float | None:
    return usage.latency_ms / usage.latencies if usage.latencies else None
