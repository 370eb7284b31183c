"""Overrides: what a person says in place of what was measured."""

from __future__ import annotations

from processors.measures import MEASURES
from processors.state.account import OverrideValue, State, stamp
from processors.state.own import OWN_NAME
from schemas.records import AccountOverride

__all__ = ["is_target", "observe_override"]


def is_target(name: str) -> bool:
    """Tell whether an override may have this target: the score, or a measure, one of a team's own too."""
    top, _, own = name.partition(".")
    return name == "score" or name in MEASURES or (top == "own" and OWN_NAME.fullmatch(own) is not None)


def observe_override(state: State, event: AccountOverride) -> None:
    """Fold one override; the newest word on each target counts, a withdrawal included."""
    state.applied += 1
    at = stamp(event.occurred_at, event.event_id)
    before = state.overrides.get(event.target)
    if before is None or at > before.at:
        state.overrides = state.overrides | {
            event.target: OverrideValue(at, event.value, event.reason, event.author, event.expires_at)
        }
