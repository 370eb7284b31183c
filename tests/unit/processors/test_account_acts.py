"""Notes and tasks on an account: published with its health, kept through a merger, gone with the account."""

from __future__ import annotations

from typing import Any

import pytest

from processors.intake.admission import Admission, refusals
from processors.observe.bounds import MAX_NOTES, MAX_TASKS, bound, evict
from processors.observe.person_erasure import erase_person
from processors.state.account import NoteValue, State, TaskValue, brief
from processors.state.account_acts import MAX_NOTE, MAX_TITLE
from schemas.records import AccountLink, AlertAction, UsageEvent
from schemas.times import DAY
from tests.support.account_story import AccountStory

NOW = 20_600 * DAY


def test_they_are_published_at_once_and_change_no_score() -> None:
    story = AccountStory(NOW)
    story.at(NOW, story.event(UsageEvent, user_id="u", name="opened"))
    score = story.health.score
    note = story.event(AlertAction, alert_id="", kind="noted", author="kim", note="They hire")
    later = story.event(
        AlertAction, alert_id="later", kind="task_set", author="kim", note="Renew", until=NOW + 9 * DAY
    )
    soon = story.event(
        AlertAction, alert_id="soon", kind="task_set", author="kim", note="Call", until=NOW + DAY,
        assignee="ines",
    )  # fmt: skip
    assert story.at(NOW + 1, actions=[note, later, soon]) == []
    assert [(one.author, one.text, one.at) for one in story.health.notes] == [("kim", "They hire", NOW)]
    assert [(one.title, one.assignee, one.due_at) for one in story.health.tasks] == [
        ("Call", "ines", NOW + DAY),
        ("Renew", None, NOW + 9 * DAY),
    ]
    assert story.health.score == score
    story.now += 1
    story.at(NOW + 2, actions=[story.event(AlertAction, alert_id="soon", kind="task_done", author="ines")])
    assert [(one.task_id, one.done_by, one.done_at) for one in story.health.tasks] == [
        ("later", None, None),
        ("soon", "ines", NOW + 2),
    ]
    story.now += 1
    again = story.event(AlertAction, alert_id="soon", kind="task_reopened", author="kim")
    story.at(NOW + 3, actions=[again])
    assert [one.task_id for one in story.health.tasks if one.done_at is None] == ["soon", "later"]


def test_those_of_an_account_that_nobody_knows_wait_for_it() -> None:
    story = AccountStory(NOW)
    story.at(NOW, actions=[story.event(AlertAction, alert_id="", kind="noted", author="kim", note="New")])
    assert story.partition.health == []
    story.at(NOW + 1, story.event(UsageEvent, user_id="u", name="opened"))
    assert [one.text for one in story.health.notes] == ["New"]


def test_they_go_with_the_account_to_which_it_is_merged_and_with_its_deletion() -> None:
    story = AccountStory(NOW)
    story.at(
        NOW,
        story.event(UsageEvent, user_id="u", name="opened"),
        actions=[story.event(AlertAction, alert_id="", kind="noted", author="kim", note="They hire")],
    )
    story.at(NOW + 1, story.event(AccountLink, deleted=True, author="kim"))
    assert (story.health.deleted, story.health.notes, story.health.tasks) == (True, [], [])
    story.at(NOW + DAY * 2, story.event(UsageEvent, user_id="u", name="opened", at=NOW + DAY * 2))
    assert story.health.notes == []


def test_what_a_person_wrote_goes_with_the_person() -> None:
    state = State(
        notes={"n1": NoteValue((1, 0), "kim", "Mine"), "n2": NoteValue((2, 0), "ines", "Hers")},
        tasks={
            "k1": TaskValue((1, 0), "kim", "Call"),
            "k2": TaskValue(
                (1, 0), "ines", "Write", assignee="kim", done_stamp=(2, 0), done=True, done_by="kim"
            ),
        },
    )
    erase_person(state, brief("kim"))
    assert list(state.notes) == ["n2"]
    assert list(state.tasks) == ["k2"]
    assert (state.tasks["k2"].assignee, state.tasks["k2"].done_by) == ("erased", "erased")


def test_the_newest_are_kept_and_what_was_done_long_ago_is_forgotten() -> None:
    state = State(
        notes={f"n{n}": NoteValue((n, 0), "kim", "x") for n in range(MAX_NOTES + 5)},
        tasks={f"k{n}": TaskValue((n, 0), "kim", "x") for n in range(MAX_TASKS + 5)},
    )
    bound(state)
    assert (len(state.notes), len(state.tasks)) == (MAX_NOTES, MAX_TASKS)
    assert "n4" not in state.notes
    state.tasks = {
        "old": TaskValue((1, 0), "kim", "x", done_stamp=(2, 0), done=True),
        "open": TaskValue((1, 0), "kim", "x"),
    }
    evict(state, NOW)
    assert list(state.tasks) == ["open"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"kind": "noted", "note": " "}, "/note"),
        ({"kind": "noted", "note": None}, "/note"),
        ({"kind": "noted", "note": "x" * (MAX_NOTE + 1)}, "/note"),
        ({"kind": "noted", "note": "x", "author": ""}, "/author"),
        ({"kind": "task_set", "note": "x" * (MAX_TITLE + 1)}, "/note"),
        ({"kind": "task_set", "note": "x", "alert_id": ""}, "/alert_id"),
        ({"kind": "task_set", "note": "x", "until": -1}, "/until"),
        ({"kind": "task_done", "alert_id": ""}, "/alert_id"),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(fields: dict[str, Any], pointer: str) -> None:
    about = {"event_id": "e", "tenant": "acme", "account_id": "a", "source": "api", "occurred_at": NOW}
    said = {"received_at": NOW, "alert_id": "k", "author": "kim", "note": None, "until": None}
    said |= {"assignee": None, "feedback": None}
    assert [one.pointer for one in refusals(about | said | fields, NOW, Admission())] == [pointer]
    whole = about | said | {"kind": "task_set", "note": "x"}
    assert list(refusals(whole, NOW, Admission())) == []
