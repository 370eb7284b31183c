"""Measures of onboarding: milestones, stalls, trainings, and the seats of a new customer."""

from __future__ import annotations

from processors.measures.definition import BILLING, ENGAGEMENT, PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import Aim
from processors.state.usage_parts import USERS
from processors.view.view import MONTH, View
from schemas.records import BillingEvent, EngagementEvent, UsageEvent
from schemas.times import DAY

__all__ = ["idle", "progress", "stall", "training", "unmoved"]

_FIRST_DAYS, _FULL_DAYS, _NEW_DAYS = 14, 45, 180
_EARLY_DAYS, _LATE_DAYS = 14, 7
"""A milestone is mostly reached from so many days before its date to so many after it."""

_NO_MILESTONE = MeasureValue(None, "No milestone known")
_EXAMPLE = (
    ago(88, EngagementEvent, kind="milestone_set", name="First report", due_at=-70),
    ago(88, EngagementEvent, kind="milestone_set", name="Single sign-on", due_at=-16),
    ago(72, EngagementEvent, kind="milestone_reached", name="First report"),
)


@measure(
    "onboarding.progress",
    kpi="Onboarding milestones",
    unit="ratio",
    window="all milestones known",
    sources=(ENGAGEMENT,),
    needs="a milestone set or reached",
    example=_EXAMPLE,
)
def progress(view: View) -> MeasureValue:
    """Return the share of the milestones set that were reached."""
    milestones = _milestones(view)
    if not milestones:
        return _NO_MILESTONE
    reached = sum(1 for _, aim in milestones if aim.done_at >= 0)
    return MeasureValue(
        reached / len(milestones), f"{reached} of {count(len(milestones), 'milestone')} reached"
    )


@measure(
    "onboarding.stall",
    kpi="Onboarding stall",
    unit="days",
    window="since the last step, or past its date",
    sources=(ENGAGEMENT, PROFILES),
    needs="a milestone set or reached",
    example=_EXAMPLE,
)
def stall(view: View) -> MeasureValue:
    """
    Return the days for which onboarding has not moved: 0 when all milestones are reached.

    That is how long the next milestone is past its date or, without a date, how long ago the last step was.
    An account whose stage is ``onboarding`` has a next milestone even when none is known. A milestone whose
    date is near lost days of the tenant's engagement may have been reached: then the one after it counts.
    """
    return unmoved(view, patience=0)


def unmoved(view: View, *, patience: int) -> MeasureValue:
    """Return the value of ``onboarding.stall``; a step without a date may take so many days of *patience*."""
    milestones = _milestones(view)
    if not milestones:
        return _NO_MILESTONE
    left = sorted((aim.due_at or 0, name, aim) for name, aim in milestones if aim.done_at < 0)
    if not left and view.state.fact("stage") != "onboarding":
        return MeasureValue(0, "All milestones reached")
    due = [(at, name) for at, name, _ in left if at]
    if due:
        known = [(at, name) for at, name in due if not _step_lost(view, at)]
        if not known:
            return MeasureValue(0, "Whether the last milestones were reached is not known")
        at, name = known[0]
        days = view.contact_age(at)
        return MeasureValue(days, f"{name}: {count(days, 'day')} past its date" if days else "On time")
    days = view.contact_age(max(aim.last_at for _, aim in milestones))
    reason = f"No step for {count(days, 'day')}" if days else "A step today"
    return MeasureValue(max(0, days - patience), reason)


@measure(
    "onboarding.idle",
    kpi="Seats idle in onboarding",
    unit="share",
    window="28 days, in the first 180",
    sources=(USAGE, BILLING, PROFILES),
    needs="nothing: 0 after half a year, or without seats, usage and the start of the first subscription",
    example=(
        ago(60, BillingEvent, kind="subscription_started", subscription_id="s-1", seats=10),
        *(ago((2, 16), UsageEvent, name="Report Viewed", user_id=user) for user in ("ann", "ben")),
    ),
    reads=USERS,
)
def idle(view: View) -> MeasureValue:
    """
    Return the share of a new customer's seats that nobody used in 28 days.

    For the first 14 days it is 0, then it counts in part, and in full from 45 days on: seats are taken into
    use one after the other. The idea is GitLab's, which holds the use of a licence against the age of the
    contract (handbook.gitlab.com, use case adoption).
    """
    seats, months = view.seats, view.months
    if not seats or months is None or view.usage.last_at is None:
        return MeasureValue(0, "Usage, seats or the start of the contract are not known")
    days = round(months * MONTH)
    if days > _NEW_DAYS:
        return MeasureValue(0, "A customer for more than half a year")
    if days < _FIRST_DAYS:
        return MeasureValue(0, f"A customer for less than {_FIRST_DAYS} days")
    used = view.active_users(28)
    share = max(0.0, 1 - used / seats) * min(1.0, days / _FULL_DAYS)
    return MeasureValue(share, f"{used} of {count(seats, 'seat')} in use after {count(days, 'day')}")


@measure(
    "onboarding.training",
    kpi="Training",
    unit="trainings",
    window="400 days",
    sources=(ENGAGEMENT,),
    needs="a training attended",
    example=(ago((60, 42), EngagementEvent, kind="training_attended", user_id="ann"),),
)
def training(view: View) -> MeasureValue:
    """Return the number of trainings that people attended."""
    times = view.state.moments.get("training_attended")
    if not times:
        return MeasureValue(None, "No training known")
    age = view.age(times[-1])
    return MeasureValue(
        len(times),
        f"{count(len(times), 'training')} attended, the last {count(age, 'day')} ago",
        as_of=times[-1],
    )


def _step_lost(view: View, due_at: int) -> bool:
    """Tell whether a milestone may have been reached on lost days."""
    day = due_at // DAY
    return view.contact_lost(day - _EARLY_DAYS, day + _LATE_DAYS)


def _milestones(view: View) -> list[tuple[str, Aim]]:
    aims = ((key.partition("\n"), aim) for key, aim in view.state.aims.items())
    return [(name, aim) for (kind, _, name), aim in aims if kind == "milestone"]
