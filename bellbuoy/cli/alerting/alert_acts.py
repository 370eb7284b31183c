"""The commands that act on an alert: ``bellbuoy alerts acknowledge``, ``snooze``, ``assign`` and others."""

from __future__ import annotations

from enum import StrEnum
from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import EXIT_CODES, TIME_AHEAD_FORMS, Author, Json, parse_time_ahead
from bellbuoy.cli.terminal.output import emit, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.records import AlertAction, RiskAlert

__all__ = ["act_commands"]


class _Feedback(StrEnum):
    USEFUL = "useful"
    NOISE = "noise"
    KNOWN = "known"


_AlertId = Annotated[
    str, typer.Argument(metavar="ALERT_ID", help="The alert's id, or as much of it as is unique.")
]
_Tenant = Annotated[str, typer.Option(help="The tenant whose alert it is.")]
_Note = Annotated[str, typer.Option(help="A word on it, kept with the alert.", show_default=False)]
_FeedbackOption = Annotated[
    _Feedback | None,
    typer.Option(help="Whether the alert was useful, noise, or known before.", show_default=False),
]

act_commands = typer.Typer()


@act_commands.command(epilog=EXIT_CODES)
def acknowledge(
    alert_id: _AlertId,
    note: _Note = "",
    tenant: _Tenant = "demo",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Say that you are on it: everybody sees who has the alert.

    \b
    Examples:
      bellbuoy alerts acknowledge 3fd0
      bellbuoy alerts acknowledge 3fd0 --note "Call on Thursday"
    """
    _act(alert_id, "acknowledged", tenant, author, as_json, note=note)


@act_commands.command(epilog=EXIT_CODES)
def snooze(
    alert_id: _AlertId,
    until: Annotated[str, typer.Option(metavar="TIME", help=f"When it comes back: {TIME_AHEAD_FORMS}.")],
    note: _Note = "",
    tenant: _Tenant = "demo",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Put an alert aside until a time; it comes back at once when it gets worse.

    \b
    Examples:
      bellbuoy alerts snooze 3fd0 --until 3d
      bellbuoy alerts snooze 3fd0 --until 2027-01-07 --note "They are on holiday"
    """
    _act(alert_id, "snoozed", tenant, author, as_json, note=note, until=until)


@act_commands.command(epilog=EXIT_CODES)
def assign(
    alert_id: _AlertId,
    to: Annotated[str, typer.Option(metavar="PERSON", help="Who has it from now on.")],
    note: _Note = "",
    tenant: _Tenant = "demo",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Give an alert to somebody else than the account's owner.

    \b
    Examples:
      bellbuoy alerts assign 3fd0 --to "Ines Marrow"
    """
    _act(alert_id, "assigned", tenant, author, as_json, note=note, assignee=to)


@act_commands.command(epilog=EXIT_CODES)
def dismiss(
    alert_id: _AlertId,
    feedback: _FeedbackOption = None,
    note: _Note = "",
    tenant: _Tenant = "demo",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    End an alert that is of no use; its rule stays silent for this account until all was well again.

    \b
    Examples:
      bellbuoy alerts dismiss 3fd0 --feedback noise
      bellbuoy alerts dismiss 3fd0 --feedback known --note "They told us in June"
    """
    _act(alert_id, "dismissed", tenant, author, as_json, note=note, feedback=feedback)


@act_commands.command(epilog=EXIT_CODES)
def resolve(
    alert_id: _AlertId,
    feedback: _FeedbackOption = None,
    note: _Note = "",
    tenant: _Tenant = "demo",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    End an alert because what it asked for is done.

    \b
    Examples:
      bellbuoy alerts resolve 3fd0 --note "Renewed for two years"
      bellbuoy alerts resolve 3fd0 --feedback useful
    """
    _act(alert_id, "resolved", tenant, author, as_json, note=note, feedback=feedback)


def _act(
    text: str,
    kind: str,
    tenant: str,
    author: str,
    as_json: bool,
    *,
    note: str = "",
    until: str | None = None,
    assignee: str | None = None,
    feedback: str | None = None,
) -> None:
    from bellbuoy.cli.terminal.command_log import log_warnings
    from bellbuoy.operations.acts.alerts import AlertActionError, find_alert, write_alert_action
    from bellbuoy.operations.delivery.sinks import serving_reader
    from bellbuoy.operations.kafka.journal_time import journal_time
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load

    log_warnings()
    settings = load()
    with serving_reader(settings) as reader:
        alert = find_alert(reader, tenant, text)
    require_topics(settings)
    ends = None if until is None else parse_time_ahead(until, journal_time(settings))
    try:
        action = write_alert_action(
            settings,
            alert,
            kind,
            author=author or getuser(),
            note=note or None,
            until=ends,
            assignee=assignee,
            feedback=feedback,
        )
    except AlertActionError as error:
        option = "to" if error.field == "assignee" else error.field
        fail(f"{error} (--{option})", error.exit_code)
    data = {
        "tenant": alert.tenant,
        "account_id": alert.account_id,
        "alert_id": alert.alert_id,
        "action_id": action.event_id,
        "kind": kind,
        "author": action.author,
        "note": note or None,
        "until": ends,
        "assignee": assignee,
        "feedback": feedback,
    }
    emit(data, [f"{_said(kind, ends, assignee)}: {_about(alert)}", *_replaced(alert, action)], as_json)


def _said(kind: str, until: int | None, assignee: str | None) -> str:
    from schemas.times import iso

    if until is not None:
        return f"Snoozed until {iso(until)}"
    return f"Assigned to {assignee}" if assignee is not None else kind.capitalize()


def _about(alert: RiskAlert) -> str:
    name = f" of {alert.name}" if alert.name else ""
    return f"{alert.title!r}{name} ({alert.tenant}:{alert.account_id}, alert {alert.alert_id})"


def _replaced(alert: RiskAlert, action: AlertAction) -> Iterator[str]:
    """Say which acts, as the alert showed them, this one takes the place of."""
    from bellbuoy.cli.intake.deadletters_filter import printable
    from schemas.times import iso

    if action.kind == "acknowledged" and alert.acknowledged_by not in (None, action.author):
        since = "" if alert.acknowledged_at is None else f" since {iso(alert.acknowledged_at)}"
        yield f"  before: {printable(str(alert.acknowledged_by))} was on it{since}"
    if action.kind == "assigned" and alert.assignee not in (None, action.assignee):
        yield f"  before: assigned to {printable(str(alert.assignee))}"
    if action.kind == "snoozed" and alert.snoozed_until not in (None, action.until):
        yield f"  before: snoozed until {iso(alert.snoozed_until or 0)}"
    if action.note and alert.note not in (None, "", action.note):
        yield f"  note before: {printable(str(alert.note))}"
