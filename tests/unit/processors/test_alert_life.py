"""The life of an alert that people change: acknowledged, snoozed, assigned, reviewed, resolved, dismissed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from processors.fold.models_in_force import Models
from processors.fold.shared import Shared
from processors.model import DEFAULT
from processors.rules import load_rules
from schemas.records import AccountLink, AccountProfile, AlertAction, RiskAlert
from schemas.times import DAY, HOUR
from tests.support.account_story import AccountStory
from tests.support.recorded_partition import RecordedPartition

START = 20_000 * DAY
RULES = load_rules(
    """
ruleset: pulse
version: 1
own: {pulse: {kind: number}, fire: {kind: flag}}
rules:
  pulse:
    title: The pulse is {own.pulse}
    tiers:
      - {severity: critical, when: own.pulse < 20.0}
      - {severity: warning, when: own.pulse < 50.0}
      - {severity: notice, when: own.pulse < 70.0}
  fire: {title: Fire, severity: warning, when: own.fire}
"""
)


class Life(AccountStory):
    """An account with one alert, opened as a warning."""

    def __init__(self) -> None:
        super().__init__(START)
        self.partition = RecordedPartition(Shared(Models(DEFAULT, rules=RULES)))
        [self.alert] = self.say(pulse=40.0)

    def say(self, **own: Any) -> list[RiskAlert]:
        return self.after(HOUR, self.event(AccountProfile, own=own, at=self.now + HOUR))

    def act(self, kind: str, **fields: Any) -> list[RiskAlert]:
        action = self.event(
            AlertAction, **{"kind": kind, "alert_id": self.alert.alert_id, "author": "kim"} | fields
        )
        return self.at(self.now + 1, actions=[action])

    @property
    def last(self) -> RiskAlert:
        return self.alerts[-1]


def test_an_alert_is_snoozed_until_its_time_on_the_journals_clock() -> None:
    """
    The end of the snoozing makes the account due, to the hour of the batch, without an event.

        hour      0         1 ... 47    48
        alert     snoozed               updated, not snoozed
    """
    life = Life()
    until = life.now + 2 * DAY
    [snoozed] = life.act("snoozed", until=until, note="after the holiday")
    assert (snoozed.change, snoozed.snoozed_until, snoozed.note) == ("updated", until, "after the holiday")
    while life.now < until - HOUR:
        assert life.after(HOUR) == []
    [woken] = life.at(until)
    assert (woken.change, woken.snoozed_until, woken.severity) == ("updated", None, "warning")
    assert len(life.health.open_alerts) == 1


def test_a_snoozed_alert_wakes_when_it_gets_worse_and_sleeps_on_when_it_gets_milder() -> None:
    life = Life()
    life.act("snoozed", until=life.now + 9 * DAY)
    assert life.say(pulse=60.0) == []
    [woken] = life.say(pulse=10.0)
    assert (woken.change, woken.severity, woken.snoozed_until) == ("updated", "critical", None)


def test_a_snoozed_alert_wakes_when_something_as_bad_opens_beside_it() -> None:
    life = Life()
    life.act("snoozed", until=life.now + 9 * DAY)
    changes = {(one.rule, one.change, one.snoozed_until) for one in life.say(fire=True)}
    assert changes == {("fire", "opened", None), ("pulse", "updated", None)}


def test_a_late_snooze_of_the_milder_alert_does_not_hold() -> None:
    life = Life()
    seen = life.now
    life.say(pulse=10.0)
    assert life.act("snoozed", until=life.now + 9 * DAY, at=seen) == []
    assert life.after(HOUR) == []
    [snoozed] = life.act("snoozed", until=life.now + 9 * DAY)
    assert snoozed.snoozed_until is not None


def test_an_alert_is_assigned_acknowledged_and_reviewed() -> None:
    life = Life()
    [assigned] = life.act("assigned", assignee="ben")
    [taken] = life.act("acknowledged")
    [reviewed] = life.act("reviewed", feedback="useful")
    assert (assigned.assignee, taken.acknowledged_by, reviewed.feedback) == ("ben", "kim", "useful")
    assert {one.change for one in (assigned, taken, reviewed)} == {"updated"}
    [given_back] = life.act("assigned", assignee=None)
    assert given_back.assignee is None


@pytest.mark.parametrize(("kind", "resolution"), [("dismissed", "dismissed"), ("resolved", "done")])
def test_a_person_ends_an_alert_with_feedback(kind: str, resolution: str) -> None:
    life = Life()
    life.act("snoozed", until=life.now + 9 * DAY)
    [ended] = life.act(kind, feedback="noise", note="they are on holiday")
    assert (ended.change, ended.resolution, ended.feedback, ended.snoozed_until) == (
        "resolved", resolution, "noise", None,
    )  # fmt: skip
    assert life.health.open_alerts == []
    assert life.say(pulse=41.0) == []
    assert life.say(pulse=90.0) == []
    [again] = life.say(pulse=40.0)
    assert (again.change, again.episode, again.feedback, again.acknowledged_by) == ("opened", 2, None, None)


def test_what_gets_worse_after_it_was_done_is_a_new_alert_and_what_was_dismissed_stays_silent() -> None:
    done, dismissed = Life(), Life()
    done.act("resolved")
    dismissed.act("dismissed")
    [worse] = done.say(pulse=10.0)
    assert (worse.change, worse.episode, worse.severity) == ("opened", 2, "critical")
    assert dismissed.say(pulse=10.0) == []


def test_a_review_of_an_alert_that_is_over_is_kept_until_the_next_one_opens() -> None:
    life = Life()
    life.say(pulse=90.0)
    [reviewed] = life.act("reviewed", feedback="useful")
    assert (reviewed.change, reviewed.resolution, reviewed.feedback) == ("resolved", "recovered", "useful")
    assert (reviewed.severity, reviewed.title) == ("warning", "The pulse is 40")
    assert life.act("reviewed", feedback="useful") == []
    life.say(pulse=40.0)
    assert life.act("reviewed", feedback="noise") == []


@pytest.mark.parametrize("kind", ["acknowledged", "snoozed", "assigned", "dismissed", "resolved"])
def test_an_action_on_an_alert_that_is_over_unknown_or_foreign_changes_nothing(kind: str) -> None:
    life = Life()
    given = {"until": life.now + 9 * DAY, "assignee": "ben"}
    before = life.partition.state("acme", "a").episodes
    assert life.act(kind, alert_id="nobody's", **given) == []
    assert life.act(kind, account_id="other", **given) == []
    assert life.act(kind, tenant="globex", **given) == []
    assert life.partition.state("acme", "a").episodes == before
    life.say(pulse=90.0)
    over = life.partition.state("acme", "a").episodes
    assert life.act(kind, **given) == []
    assert life.partition.state("acme", "a").episodes == over


def test_merging_and_deleting_end_an_alert_with_the_reason() -> None:
    merged, deleted = Life(), Life()
    merged.after(HOUR, merged.event(AccountLink, into="b"))
    deleted.after(HOUR, deleted.event(AccountLink, deleted=True))
    assert (merged.last.change, merged.last.resolution) == ("resolved", "merged")
    assert (deleted.last.change, deleted.last.resolution) == ("resolved", "deleted")


def test_the_order_in_which_actions_come_does_not_matter() -> None:
    """Also each of them twice: the newest of each kind counts, by event time."""
    kinds: list[dict[str, Any]] = [
        {"kind": "acknowledged", "author": "ann", "note": "mine"},
        {"kind": "acknowledged", "author": "ben"},
        {"kind": "snoozed", "until": START + 5 * DAY, "author": "ann"},
        {"kind": "snoozed", "until": START + 3 * DAY, "author": "ben", "note": "shorter"},
        {"kind": "assigned", "assignee": "ben", "author": "kim"},
        {"kind": "reviewed", "feedback": "known", "author": "kim"},
    ]
    results = set()
    for order in itertools.islice(itertools.permutations(range(len(kinds))), 0, 720, 37):
        life = Life()
        now = life.now
        actions = [
            life.event(AlertAction, alert_id=life.alert.alert_id, at=now + number, **fields)
            for number, fields in enumerate(kinds)
        ]
        life.now = now + 10
        for place in (*order, *order):
            life.at(life.now, actions=[actions[place]])
        for end in (life.last, life.partition.state("acme", "a").episodes["pulse"]):
            who = (end.acknowledged_by, end.acknowledged_at, end.assignee)
            results.add((*who, end.snoozed_until, end.note, end.feedback))
    assert results == {("ben", START + HOUR + 1, "ben", START + 3 * DAY, "shorter", "known")}


def test_the_same_journal_gives_the_same_alerts() -> None:
    def records() -> list[RiskAlert]:
        life = Life()
        life.act("snoozed", until=life.now + 2 * DAY)
        life.say(pulse=10.0)
        life.act("resolved", feedback="useful")
        life.partition.restart()
        life.say(pulse=90.0)
        life.say(pulse=40.0)
        return life.alerts

    assert records() == records()
