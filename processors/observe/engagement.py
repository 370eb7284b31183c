"""Engagement: contacts, people, goals and milestones."""

from __future__ import annotations

from bisect import bisect_left

from processors.observe.retract import retract, retraction
from processors.state.account import Aim, Person, State, brief, stamp
from schemas.inputs import ENGAGEMENT
from schemas.records import EngagementEvent

__all__ = ["MAX_MOMENTS", "forget_aim", "observe_engagement"]

MAX_MOMENTS = 32
"""Times kept of each kind of contact or other event, the newest."""

_COUNTED = frozenset(
    {
        "email_sent", "email_received", "meeting", "training_attended",
        "praise_received", "complaint_received", "advocacy_shown",
    }
)  # fmt: skip
_NAMED = frozenset({"praise_received", "complaint_received"})
_THEIRS = frozenset(
    {
        "email_received", "meeting", "touch", "training_attended",
        "praise_received", "complaint_received", "advocacy_shown",
    }
)  # fmt: skip
_ROLES = {"champion_named": "champion", "sponsor_named": "sponsor"}
_AIMS = {
    "goal_set": "goal",
    "goal_achieved": "goal",
    "goal_withdrawn": "goal",
    "milestone_set": "milestone",
    "milestone_reached": "milestone",
}


def observe_engagement(state: State, event: EngagementEvent) -> None:
    """Fold one contact or one step of adoption."""
    state.applied += 1
    state.heard[ENGAGEMENT.topic] = max(state.heard.get(ENGAGEMENT.topic, -1), event.occurred_at)
    state.engagement[event.kind] = max(state.engagement.get(event.kind, -1), event.occurred_at)
    if event.kind in _COUNTED:
        _remember(state, f"{event.kind}\n{event.name or ''}" if event.kind in _NAMED else event.kind, event)
    if event.kind in _AIMS and event.name:
        _observe_aim(state, f"{_AIMS[event.kind]}\n{event.name}", event)
    if event.user_id:
        _observe_person(state, brief(event.user_id), event)


def _remember(state: State, kind: str, event: EngagementEvent) -> None:
    times = state.moments.setdefault(kind, [])
    place = bisect_left(times, event.occurred_at)
    if place == len(times) or times[place] != event.occurred_at:
        times.insert(place, event.occurred_at)
        del times[:-MAX_MOMENTS]


def _observe_aim(state: State, key: str, event: EngagementEvent) -> None:
    if event.kind == "goal_withdrawn":
        _withdraw(state, key, event.occurred_at)
        return
    gone = retraction(state, "aim", key)
    if gone is not None and event.occurred_at <= gone.at:
        return
    at = stamp(event.occurred_at, event.event_id)
    aim = state.aims.get(key)
    if aim is None:
        aim = state.aims[key] = Aim()
    aim.last_at = max(aim.last_at, event.occurred_at)
    if event.due_at is not None and at > aim.due_stamp:
        aim.due_stamp, aim.due_at = at, event.due_at
    if event.worth_minor is not None and at > aim.worth_stamp:
        aim.worth_stamp, aim.worth_minor, aim.currency = at, event.worth_minor, event.currency
    if event.kind in ("goal_achieved", "milestone_reached"):
        aim.done_at = max(aim.done_at, event.occurred_at)


def _withdraw(state: State, key: str, at: int) -> None:
    retract(state, "aim", key, at)
    forget_aim(state, key, at)


def forget_aim(state: State, key: str, at: int) -> None:
    """Forget what was said of an aim up to this time; every part of it is the newest word of its kind."""
    aim = state.aims.get(key)
    if aim is None:
        return
    if aim.last_at <= at:
        del state.aims[key]
        return
    if aim.due_stamp[0] <= at:
        aim.due_stamp, aim.due_at = (-1, 0), None
    if aim.worth_stamp[0] <= at:
        aim.worth_stamp, aim.worth_minor, aim.currency = (-1, 0), None, None
    if aim.done_at <= at:
        aim.done_at = -1


def _observe_person(state: State, user: int, event: EngagementEvent) -> None:
    role, left = _ROLES.get(event.kind), event.kind in ("champion_left", "sponsor_left")
    if role is None and not left and event.kind not in _THEIRS:
        return
    person = state.people.get(user)
    if person is None:
        person = state.people[user] = Person()
    if role is not None:
        at = stamp(event.occurred_at, event.event_id)
        if at > person.role_at:
            person.role_at, person.role = at, role
    elif left:
        person.left_at = max(person.left_at, event.occurred_at)
    else:
        person.contact_at = max(person.contact_at, event.occurred_at)
