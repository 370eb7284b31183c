"""Overrides: what a person says in place of what was measured."""

from __future__ import annotations

from processors.state.account import OverrideValue, State, stamp
from schemas.records import AccountOverride

__all__ = ["observe_override"]


def observe_override(state: State, event: AccountOverride) -> None:
    """Fold one override; the newest word on each target counts, a withdrawal included."""
    state.applied += 1
    at = stamp(event.occurred_at, event.event_id)
    before = state.overrides.get(event.target)
    if before is None or at > before.at:
        state.overrides = state.overrides | {
            event.target: OverrideValue(at, event.value, event.reason, event.author, event.expires_at)
        }
