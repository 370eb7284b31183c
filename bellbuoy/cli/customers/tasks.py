"""The commands ``bellbuoy tasks``: what the team is to do for its accounts."""

from __future__ import annotations

from getpass import getuser
from typing import Annotated

import typer

from bellbuoy.cli.customers.known_account import Anyway, require_known_account
from bellbuoy.cli.options import EXIT_CODES, TIME_AHEAD_FORMS, Author, Json, Tenant, parse_time_ahead
from bellbuoy.cli.terminal.output import emit

__all__ = ["tasks"]

_TaskId = Annotated[
    str, typer.Argument(metavar="TASK_ID", help="The task's id, or as much of it as is unique.")
]

tasks = typer.Typer(
    name="tasks",
    help="List what is to be done for accounts, add to it, and say what is done.\n\n"
    "A task belongs to an account and changes no score. One that is assigned to nobody falls to the "
    "account's owner.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@tasks.command("list", epilog=EXIT_CODES)
def list_tasks(
    person: Annotated[
        str | None, typer.Option("--for", metavar="PERSON", help="Only what this person is to do.")
    ] = None,
    tenant: Tenant = "demo",
    as_json: Json = False,
) -> None:
    """
    List the open tasks, those that are due first at the top.

    \b
    Examples:
      bellbuoy tasks list
      bellbuoy tasks list --for "Ines Marrow"
      bellbuoy tasks list --tenant acme --json
    """
    import msgspec

    from bellbuoy.cli.terminal.output import print_table
    from bellbuoy.operations.acts.accounts import open_tasks
    from bellbuoy.operations.delivery.sinks import serving_reader
    from bellbuoy.render.tasks import render_tasks
    from bellbuoy.settings import load

    with serving_reader(load()) as reader:
        found = open_tasks(reader.accounts(tenant), person)
    if as_json:
        rows = [
            {"account_id": account.account_id, "name": account.name} | msgspec.to_builtins(task)
            for account, task in found
        ]
        emit({"tenant": tenant, "tasks": rows}, [], as_json)
    elif found:
        print_table(render_tasks(found))
    else:
        print(f"Nothing is to be done{f' by {person}' if person else ''}.")


@tasks.command(epilog=EXIT_CODES)
def add(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The customer's account id.")],
    title: Annotated[
        str, typer.Argument(metavar="TITLE", help="What is to be done, at most 300 characters.")
    ],
    due: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"By when: {TIME_AHEAD_FORMS}.", show_default="no date")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="PERSON", help="Who is to do it.", show_default="the account's owner"),
    ] = None,
    tenant: Tenant = "demo",
    author: Author = "",
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """
    Add a task to an account.

    \b
    Examples:
      bellbuoy tasks add amber-harbour-foods "Ask for the new sponsor" --due 7d
      bellbuoy tasks add 4711 "Prepare the renewal" --due 2027-01-31 --to "Ines Marrow" --tenant acme
    """
    from bellbuoy.operations.acts.accounts import write_task
    from bellbuoy.operations.kafka.journal_time import journal_time
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from schemas.times import iso

    settings = load()
    require_topics(settings)
    if not anyway:
        require_known_account(settings, tenant, account)
    due_at = None if due is None else parse_time_ahead(due, journal_time(settings))
    written = write_task(
        settings, tenant, account, title, author=author or getuser(), due_at=due_at, assignee=to
    )
    data = {
        "tenant": tenant,
        "account_id": account,
        "task_id": written.alert_id,
        "title": written.note,
        "due_at": due_at,
        "assignee": written.assignee,
        "author": written.author,
    }
    until = "" if due_at is None else f", due {iso(due_at)}"
    emit(data, [f"Task {written.alert_id} of {tenant}:{account}{until}: {written.note}"], as_json)


@tasks.command(epilog=EXIT_CODES)
def done(task_id: _TaskId, tenant: Tenant = "demo", author: Author = "", as_json: Json = False) -> None:
    """
    Say that a task is done.

    \b
    Examples:
      bellbuoy tasks done 3fd0
    """
    _end(task_id, tenant, author, as_json, done=True)


@tasks.command(epilog=EXIT_CODES)
def reopen(task_id: _TaskId, tenant: Tenant = "demo", author: Author = "", as_json: Json = False) -> None:
    """
    Open a task again that was done within the last 90 days.

    \b
    Examples:
      bellbuoy tasks reopen 3fd0
    """
    _end(task_id, tenant, author, as_json, done=False)


def _end(text: str, tenant: str, author: str, as_json: bool, *, done: bool) -> None:
    from bellbuoy.operations.acts.accounts import find_task, write_task_end
    from bellbuoy.operations.delivery.sinks import serving_reader
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load

    settings = load()
    with serving_reader(settings) as reader:
        account, task = find_task(reader.accounts(tenant), text)
    require_topics(settings)
    written = write_task_end(
        settings, tenant, account.account_id, task, done=done, author=author or getuser()
    )
    data = {
        "tenant": tenant,
        "account_id": account.account_id,
        "task_id": task.task_id,
        "kind": written.kind,
        "author": written.author,
    }
    line = f"{'Done' if done else 'Open again'}: {task.title} ({tenant}:{account.account_id})"
    emit(data, [line], as_json)
