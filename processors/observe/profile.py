"""Profiles: the newest word on each field, and the tenant's own facts and counters."""

from __future__ import annotations

from processors.observe.own import count_own, observe_own_facts
from processors.state.account import State, stamp
from schemas.inputs import PROFILES
from schemas.records import AccountProfile, InputEvent

__all__ = ["PROFILE_FIELDS", "observe_profile"]

_OWN_FIELDS = ("own", "author", "counted", "user_id")
PROFILE_FIELDS = tuple(
    field
    for field in AccountProfile.__struct_fields__
    if field not in (*InputEvent.__struct_fields__, *_OWN_FIELDS)
)
"""What a profile says of an account, beside facts of the tenant's own."""


def observe_profile(state: State, event: AccountProfile) -> None:
    """Keep each field's newest value."""
    state.applied += 1
    state.heard[PROFILES.topic] = max(state.heard.get(PROFILES.topic, -1), event.occurred_at)
    at = stamp(event.occurred_at, event.event_id)
    for name in PROFILE_FIELDS:
        value = getattr(event, name)
        if value is not None:
            known = state.profile.get(name)
            if known is None or at > known[0]:
                state.profile[name] = (at, value)
    if event.own:
        observe_own_facts(state, event.own, event.author, at)
    if event.counted:
        count_own(state, event.counted, event.user_id, event.occurred_at)
