"""The checks of one run by itself find what two equal runs would both have wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from chaos.final_state import AlertChange, FinalState
from chaos.invariants import alert_violations, violations

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
