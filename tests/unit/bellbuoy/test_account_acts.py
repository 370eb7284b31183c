"""Notes and tasks: what the journal would refuse is refused before it is written, and a task is found."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.acts.accounts import (
    AccountActError,
    NoSuchTaskError,
    find_task,
    open_tasks,
    write_note,
    write_task,
)
from bellbuoy.settings import Settings
from processors.state.account_acts import ACCOUNT_ACTS, MAX_NOTE, MAX_TITLE
from schemas.codec.registry import committed
from schemas.records import Task
from sinks.serving import AccountSummary, summary
from tests.support.output_records import health


def _account(account_id: str, owner: str | None, *tasks: Task) -> AccountSummary:
    return summary(health(account_id, 1, 50.0, owner=owner, tasks=list(tasks)))


ACCOUNTS = [
    _account(
        "a1",
        "Ines Marrow",
        Task(task_id="aa1", title="Call", author="kim", due_at=9),
        Task(task_id="aa2", title="Write", author="kim", assignee="Kim", due_at=3),
        Task(task_id="ab3", title="Sent", author="kim", done_at=4, done_by="kim"),
    ),
    _account("a2", None, Task(task_id="b1", title="Ask", author="kim")),
]


@pytest.mark.parametrize(
    ("account_id", "text", "author"),
    [("a1", "  ", "kim"), ("a1", "x" * (MAX_NOTE + 1), "kim"), ("a1", "x", " "), ("~user:u", "x", "kim")],
)
def test_a_note_that_makes_no_sense_is_refused(account_id: str, text: str, author: str) -> None:
    with pytest.raises(AccountActError):
        write_note(Settings(), "demo", account_id, text, author=author)


@pytest.mark.parametrize(
    "said", [{"title": ""}, {"title": "x" * (MAX_TITLE + 1)}, {"due_at": 2**50}, {"assignee": "x" * 2_000}]
)
def test_a_task_that_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(AccountActError):
        write_task(Settings(), "demo", "a1", **({"title": "Call", "author": "kim"} | said))


def test_what_is_due_first_comes_first_and_the_owner_has_what_is_nobodys() -> None:
    assert [task.task_id for _, task in open_tasks(ACCOUNTS)] == ["aa2", "aa1", "b1"]
    assert [task.task_id for _, task in open_tasks(ACCOUNTS, "ines marrow")] == ["aa1"]
    assert [task.task_id for _, task in open_tasks(ACCOUNTS, "kim")] == ["aa2"]


def test_a_task_is_found_by_the_beginning_of_its_id() -> None:
    account, task = find_task(ACCOUNTS, "ab")
    assert (account.account_id, task.title) == ("a1", "Sent")
    with pytest.raises(NoSuchTaskError, match=r"2 tasks begin with 'aa': aa1 \(Call\); aa2 \(Write\)"):
        find_task(ACCOUNTS, "aa")
    with pytest.raises(NoSuchTaskError, match="tasks list"):
        find_task(ACCOUNTS, "z")


def test_every_kind_is_one_that_the_input_has() -> None:
    fields = committed().readers["alert.actions-value"]["fields"]
    kind = next(one for one in fields if one["name"] == "kind")
    assert set(kind["type"]["symbols"]) >= ACCOUNT_ACTS


def test_the_commands_say_what_they_lack() -> None:
    assert CliRunner().invoke(app, ["tasks", "add", "a1", "Call", "--due", "soon"]).exit_code != 0
    assert CliRunner().invoke(app, ["note", "a1"]).exit_code == CONFIGURATION
