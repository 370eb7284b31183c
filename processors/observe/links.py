"""Links: the newest word on which account this one belongs to."""

from __future__ import annotations

from processors.state.account import State, stamp
from schemas.records import AccountLink

__all__ = ["observe_link"]


def observe_link(state: State, event: AccountLink) -> None:
    """
    Keep the newest word; a link said again changes nothing but its stamp.

    A deletion is no link (``processors.observe.deletion``).
    """
    state.applied += 1
    link = state.link
    link.count += 1
    at = stamp(event.occurred_at, event.event_id)
    if at > link.at and event.into != state.account_id:
        link.into, link.at = event.into, at
