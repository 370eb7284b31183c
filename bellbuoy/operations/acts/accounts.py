"""Notes and tasks of the team on an account, written to Kafka, and the task that somebody means."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.kafka.event_writing import write_event
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.settings import Settings
from processors.intake.admission import MAX_TEXT
from processors.state.account_acts import MAX_NOTE, MAX_TITLE
from schemas.identity.aliases import is_alias
from schemas.identity.keys import valid_account
from schemas.inputs import ACTIONS
from schemas.records import AlertAction, Task
from schemas.times import iso
from sinks.serving import AccountSummary

__all__ = [
    "AccountActError",
    "AccountTask",
    "NoSuchTaskError",
    "find_task",
    "open_tasks",
    "write_note",
    "write_task",
    "write_task_end",
]

_SOURCE = "bellbuoy"
_LAST_DUE = 2**45
_NAMED = 5


class AccountActError(OperatorError):
    """A note or a task lacks something, or has what the journal would refuse; the message says what."""

    exit_code = CONFIGURATION


class NoSuchTaskError(OperatorError):
    """
    No task of the tenant is the one that is named, or several are; the message says which there are.

    Operator action: take an id from `bellbuoy tasks list`.
    """


class AccountTask(NamedTuple):
    """A task with the account that it belongs to."""

    account: AccountSummary
    task: Task

    @property
    def assignee(self) -> str | None:
        """Who has to do it: whom it is assigned to, or the account's owner; ``None`` for nobody."""
        return self.task.assignee or self.account.owner


def open_tasks(accounts: Iterable[AccountSummary], assignee: str | None = None) -> list[AccountTask]:
    """
    Return the open tasks of accounts, those that are due first before the others.

    ``assignee`` is who has to do them, in whatever case; a task that is assigned to nobody falls to the
    account's owner.
    """
    wanted = None if assignee is None else assignee.casefold()
    found = [
        one
        for one in _tasks(accounts)
        if one.task.done_at is None and wanted in (None, (one.assignee or "").casefold())
    ]
    return sorted(
        found, key=lambda one: (one.task.due_at or _LAST_DUE, one.account.account_id, one.task.task_id)
    )


def find_task(accounts: Iterable[AccountSummary], text: str) -> AccountTask:
    """Return the task whose id is *text*, or the only one whose id begins with it; raise NoSuchTaskError."""
    begin = [one for one in _tasks(accounts) if text and one.task.task_id.startswith(text)]
    exact = [one for one in begin if one.task.task_id == text]
    if len(exact or begin) == 1:
        return (exact or begin)[0]
    if begin:
        some = "; ".join(f"{one.task.task_id} ({one.task.title})" for one in begin[:_NAMED])
        raise NoSuchTaskError(f"{len(begin)} tasks begin with {text!r}: {some}; give more of the id")
    raise NoSuchTaskError(f"no task begins with {text!r}: `bellbuoy tasks list` has those that are open")


def _tasks(accounts: Iterable[AccountSummary]) -> Iterator[AccountTask]:
    return (AccountTask(account, task) for account in accounts for task in account.tasks)


def write_note(
    settings: Settings, tenant: str, account_id: str, text: str, *, author: str, act_id: str = ""
) -> AlertAction:
    """
    Write a note on an account, and return its event once Kafka has confirmed it.

    With the same ``act_id`` a repeated one counts once. Raises AccountActError, and KafkaAwayError, after
    which it may have been written or not.
    """
    _check_text(text, MAX_NOTE, "the note")
    return _write(settings, tenant, account_id, "noted", author, act_id, note=text.strip())


def write_task(
    settings: Settings,
    tenant: str,
    account_id: str,
    title: str,
    *,
    author: str,
    due_at: int | None = None,
    assignee: str | None = None,
    task_id: str = "",
    act_id: str = "",
) -> AlertAction:
    """
    Write a task of an account, or with the ``task_id`` of a known one what it says from now on.

    ``due_at`` is UTC milliseconds; a task without an ``assignee`` falls to the account's owner. Returns and
    raises as ``write_note`` does; a new task's id is its event's.
    """
    _check_text(title, MAX_TITLE, "the title")
    if due_at is not None and not 0 <= due_at <= _LAST_DUE:
        raise AccountActError(f"{iso(due_at)} is no date by which a task can be due")
    if assignee is not None and len(assignee) > MAX_TEXT:
        raise AccountActError(f"the assignee has {len(assignee):,} characters, at most {MAX_TEXT:,}")
    event_id = act_id or uuid.uuid4().hex
    return _write(
        settings, tenant, account_id, "task_set", author, event_id, alert_id=task_id or event_id,
        note=title.strip(), until=due_at, assignee=(assignee or "").strip() or None,
    )  # fmt: skip


def write_task_end(
    settings: Settings,
    tenant: str,
    account_id: str,
    task: Task,
    *,
    done: bool,
    author: str,
    act_id: str = "",
) -> AlertAction:
    """Write that a task is done, or that it is open again; return and raise as ``write_note`` does."""
    kind = "task_done" if done else "task_reopened"
    return _write(settings, tenant, account_id, kind, author, act_id, alert_id=task.task_id, note=task.title)


def _write(
    settings: Settings,
    tenant: str,
    account_id: str,
    kind: str,
    author: str,
    act_id: str,
    *,
    alert_id: str = "",
    note: str | None = None,
    until: int | None = None,
    assignee: str | None = None,
) -> AlertAction:
    if not valid_account(account_id) or is_alias(account_id):
        raise AccountActError(f"{account_id!r:.80} is no account of a customer")
    _check_text(author, MAX_TEXT, "the author")
    at = journal_time(settings)
    action = AlertAction(
        event_id=act_id or uuid.uuid4().hex,
        tenant=tenant,
        account_id=account_id,
        source=_SOURCE,
        occurred_at=at,
        received_at=at,
        alert_id=alert_id,
        kind=kind,
        author=author,
        note=note,
        until=until,
        assignee=assignee,
    )
    write_event(settings, ACTIONS.topic, action)
    return action


def _check_text(text: str, most: int, what: str) -> None:
    if not text.strip():
        raise AccountActError(f"{what} is empty: say it in a few words")
    if len(text) > most:
        raise AccountActError(f"{what} has {len(text):,} characters, at most {most:,}: shorten it")
