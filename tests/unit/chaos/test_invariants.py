"""The checks of one run by itself find what two equal runs would both have wrong."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from chaos.final_state import FinalState
from chaos.invariants import alert_violations, violations
from chaos.told_state import AlertChange, ToldState, told_violations

OPENED: AlertChange = ("a", "opened", "warning", 10)
WORSE: AlertChange = ("a", "updated", "critical", 20)
RESOLVED: AlertChange = ("a", "resolved", "critical", 30)


def test_a_whole_episode_and_an_open_one_are_right() -> None:
    still_open: AlertChange = ("b", "opened", "notice", 5)
    alerts = Counter([OPENED, WORSE, RESOLVED, still_open])
    assert list(alert_violations(alerts, frozenset({"b"}))) == []


@pytest.mark.parametrize(
    ("changes", "in_sink", "what"),
    [
        ([OPENED, OPENED], {"a"}, "published 2 times"),
        ([OPENED, ("a", "opened", "warning", 11)], {"a"}, "opened 2 times"),
        ([WORSE], {"a"}, "opened 0 times"),
        ([WORSE, ("a", "opened", "warning", 25)], {"a"}, "first change is not its opening"),
        ([OPENED, RESOLVED, ("a", "updated", "critical", 40)], set(), "changed after it was resolved"),
        ([OPENED, RESOLVED, ("a", "resolved", "critical", 31)], set(), "resolved 2 times"),
        ([OPENED], set(), "open on the topic only"),
        ([OPENED, RESOLVED], {"a"}, "open in the sink only"),
    ],
)
def test_each_fault_is_found(changes: list[AlertChange], in_sink: set[str], what: str) -> None:
    assert any(what in each for each in alert_violations(Counter(changes), frozenset(in_sink)))


def test_an_event_that_both_runs_count_twice_is_found() -> None:
    final = FinalState({("t", "a"): 4}, {}, Counter(), frozenset(), {}, {})
    assert list(violations(final, {("t", "a"): 3})) == ["account ('t', 'a'): 3 events sent, 4 applied"]


def test_what_a_sink_lost_is_found() -> None:
    lost = "postgres: acct-1 is missing (account.health)"
    final = FinalState({}, {}, Counter(), frozenset(), {}, {}, unreconciled=(lost,))
    assert list(violations(final, {})) == [lost]


def told(*changes: AlertChange, ids: int = 1, **more: Any) -> ToldState:
    alerts: list[tuple[AlertChange, ...]] = [(change,) for change in changes]
    sent = Counter(("ann", "alert", each[0][3], each) for each in alerts)
    return ToldState(sent, Counter({f"n{number}": ids for number in range(len(changes))}), **more)


def test_whoever_is_told_of_all_and_of_the_end_is_told_right() -> None:
    tracked = {"b": (("b", "opened", "notice", 5), "told", ("ann",))}
    alerts = Counter([OPENED, WORSE, RESOLVED, ("b", "opened", "notice", 5)])
    state = told(OPENED, WORSE, RESOLVED, ("b", "opened", "notice", 5), tracked=tracked)
    assert list(told_violations(state, alerts)) == []


@pytest.mark.parametrize(
    ("state", "published", "what"),
    [
        (told(OPENED, ids=2, tracked={"a": (OPENED, "told", ("ann",))}), [OPENED], "n0: published 2 times"),
        (told(OPENED, OPENED, tracked={"a": (OPENED, "told", ())}), [OPENED], "was told of .* 2 times"),
        (told(), [OPENED], "lost to owners"),
        (told(tracked={"a": (OPENED, "new", ())}), [OPENED, RESOLVED], "tracked though over"),
        (told(tracked={"a": (OPENED, "told", ("ann",))}), [OPENED], "ann counts as told and was not"),
        (told(tracked={"a": (WORSE, "new", ())}), [OPENED], "tracked as .* never published"),
        (told(OPENED), [OPENED, RESOLVED], "ann was not told that it is over"),
        (told(WORSE, tracked={"a": (OPENED, "new", ())}), [OPENED], "which was never published"),
        (told(undelivered=frozenset({"n9"})), [], "n9: not delivered"),
    ],
)
def test_each_fault_of_what_people_are_told_is_found(
    state: ToldState, published: list[AlertChange], what: str
) -> None:
    assert any(re.search(what, each) for each in told_violations(state, Counter(published)))
