"""Facts and counters of a tenant's own: the newest word on each fact, and sums by day."""

from __future__ import annotations

from collections.abc import Mapping

from processors.state.account import State
from processors.state.activity import with_day
from processors.state.own import OwnCount, OwnFact, OwnValue
from processors.state.parts import Stamp, brief
from schemas.times import DAY

__all__ = ["count_own", "observe_own_facts"]


def observe_own_facts(state: State, facts: Mapping[str, OwnValue], author: str | None, at: Stamp) -> None:
    """Keep the newest value of each own fact, with its author."""
    for name, value in facts.items():
        known = state.own.get(name)
        if known is None or at > known.at:
            state.own[name] = OwnFact(at, value, author or "")


def count_own(state: State, counted: Mapping[str, int], user_id: str | None, occurred_at: int) -> None:
    """Add what was counted to its day, and the user to those whom it happened to."""
    day = occurred_at // DAY
    for name, number in counted.items():
        counter = state.own_counts.get(name)
        if counter is None:
            counter = state.own_counts[name] = OwnCount()
        counter.days = dict(sorted((counter.days | {day: counter.days.get(day, 0) + number}).items()))
        if user_id is not None:
            user = brief(user_id)
            after = with_day(counter.users.get(user), day)
            counter.users = dict(sorted((counter.users | {user: after}).items()))
