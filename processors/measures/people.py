"""Measures of the people who carry the relationship: the champion and the sponsor."""

from __future__ import annotations

from collections.abc import Iterator

from processors.measures.definition import ENGAGEMENT, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import RING_DAYS, Person
from processors.state.activity import last_day
from processors.state.usage_parts import USERS
from processors.view import View
from schemas.records import EngagementEvent, UsageEvent

__all__ = ["champion", "champion_gone", "champion_silent", "sponsor"]

_SOURCES = (ENGAGEMENT, USAGE)


@measure(
    "engagement.champion",
    kpi="Champion activity",
    unit="days",
    window="since the last activity, 90 days at most",
    sources=_SOURCES,
    needs="a champion named, or one who left",
    example=(
        ago(85, EngagementEvent, kind="champion_named", user_id="ann"),
        ago(4, UsageEvent, name="Report Viewed", user_id="ann"),
    ),
    reads=USERS,
)
def champion(view: View) -> MeasureValue:
    """Return the days since a champion last used the product or was in contact; 90 when the last one left."""
    return _days_since_activity(view, "champion")


@measure(
    "engagement.champion_gone",
    kpi="Champion activity",
    unit="share",
    window="90 days",
    sources=(ENGAGEMENT,),
    needs="nothing: 0 without a departure",
    example=(ago(20, EngagementEvent, kind="champion_left", user_id="ann"),),
)
def champion_gone(view: View) -> MeasureValue:
    """
    Return how lately a champion left: 1 on that day, falling to 0 at 90 days after it.

    0 as soon as a champion is named who stays.
    """
    left = view.state.engagement.get("champion_left", -1)
    stays = any(
        person.role == "champion" and person.left_at <= person.role_at[0] and person.role_at[0] > left
        for person in view.state.people.values()
    )
    age = view.age(left)
    if left < 0 or stays or age >= RING_DAYS:
        return MeasureValue(0, "No champion left")
    return MeasureValue(
        1 - age / RING_DAYS,
        f"The champion left {count(age, 'day')} ago" if age else "The champion left today",
    )


@measure(
    "engagement.champion_silent",
    kpi="Champion activity",
    unit="days",
    window="since the last activity, 90 days at most",
    sources=_SOURCES,
    needs="nothing: 0 without a champion",
    example=(
        ago(85, EngagementEvent, kind="champion_named", user_id="ann"),
        ago(24, UsageEvent, name="Report Viewed", user_id="ann"),
    ),
    reads=USERS,
)
def champion_silent(view: View) -> MeasureValue:
    """Return the days since a champion last used the product or was in contact; 0 where none is known."""
    known = _days_since_activity(view, "champion")
    return MeasureValue(0, known.reason) if known.value is None else known


@measure(
    "engagement.sponsor",
    kpi="Sponsor activity",
    unit="days",
    window="since the last activity, 90 days at most",
    sources=_SOURCES,
    needs="a sponsor named, or one who left",
    example=(
        ago(85, EngagementEvent, kind="sponsor_named", user_id="ben"),
        ago(30, EngagementEvent, kind="meeting", user_id="ben"),
    ),
    reads=USERS,
)
def sponsor(view: View) -> MeasureValue:
    """Return the days since a sponsor last used the product or was in contact; 90 when the last one left."""
    return _days_since_activity(view, "sponsor")


def _days_since_activity(view: View, role: str) -> MeasureValue:
    named = {user: person for user, person in view.state.people.items() if person.role == role}
    staying = {user: person for user, person in named.items() if person.left_at <= person.role_at[0]}
    if not staying:
        if not named and f"{role}_left" not in view.state.engagement:
            return MeasureValue(None, f"No {role} known")
        left = [view.state.engagement.get(f"{role}_left", -1), *(each.left_at for each in named.values())]
        return MeasureValue(RING_DAYS, f"The {role} left", as_of=max(left))
    ages = [age for user, person in staying.items() for age in _ages(view, user, person)]
    age = min(ages, default=RING_DAYS)
    if age >= RING_DAYS:
        days = RING_DAYS if ages else _watched_days(view)
        return MeasureValue(days, f"Nothing from the {role} in {count(days, 'day')}")
    return MeasureValue(
        age, f"The {role} was active {count(age, 'day')} ago" if age else f"The {role} was active today"
    )


def _ages(view: View, user: int, person: Person) -> Iterator[int]:
    """Yield how many days ago a person last used the product and was in contact, where each is known."""
    activity = view.usage.users.get(user)
    if activity is not None:
        yield max(0, view.today - last_day(activity))
    if person.contact_at >= 0:
        yield view.contact_age(person.contact_at)


def _watched_days(view: View) -> int:
    """Return the days, 90 at most, since the account first used the product: nobody is silent longer."""
    first = view.state.usage.first_at
    return RING_DAYS if first is None else min(RING_DAYS, view.age(first))
