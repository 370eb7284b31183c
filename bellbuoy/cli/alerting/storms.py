"""The commands ``bellbuoy owners storms``, ``explain`` and ``release``: incidents of our own."""

from __future__ import annotations

from getpass import getuser
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import EXIT_CODES, Author, Json
from bellbuoy.cli.terminal.output import emit

if TYPE_CHECKING:
    from bellbuoy.operations.acts.storms import Incident
    from schemas.records import AlertAction

__all__ = ["storm_commands"]

_Storm = Annotated[
    str, typer.Argument(metavar="STORM", help="The storm's id, or as much of it as is unique.")
]

storm_commands = typer.Typer()


@storm_commands.command(epilog=EXIT_CODES)
def storms(
    tenant: Annotated[str | None, typer.Option(help="Only those of this tenant.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """
    List the open storms and silent sources, with how many alerts each storm holds back.

    A storm is one alert rule on so many accounts at once that it is hardly their doing: one page goes to the
    recipient of incidents, and no owner hears of the accounts until it is over. `explain` and `release` end
    it; else it ends when no further account comes. They are read from the states' changelog, whole.

    \b
    Examples:
      bellbuoy owners storms
      bellbuoy owners storms --tenant acme --json
    """
    from bellbuoy.operations.acts.storms import open_incidents
    from bellbuoy.settings import load

    incidents = open_incidents(load(), tenant)
    data = [
        {
            "id": each.alert.alert_id,
            "tenant": each.alert.tenant,
            "kind": each.alert.rule,
            "about": each.alert.subject,
            "title": each.alert.title,
            "opened_at": each.alert.opened_at,
            "last_at": each.last_at,
            "ends_at": each.ends_at,
            "held": each.held,
            "acknowledged_by": each.alert.acknowledged_by,
            "note": each.alert.note or None,
        }
        for each in incidents
    ]
    lines = [line for each in incidents for line in _in_words(each)]
    emit({"open": data}, lines or ["No storm is open, and no source is silent."], as_json)


@storm_commands.command(epilog=EXIT_CODES)
def explain(
    storm: _Storm,
    cause: Annotated[
        str, typer.Option(metavar="TEXT", help="What it was; the page and the released messages say it.")
    ],
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Say what caused a storm, which ends it: what it held and is still open goes to the owners, one by one.

    They are told in their hours and within their budgets, critical alerts included, and each message says the
    cause. What recovered meanwhile is never heard of.

    \b
    Examples:
      bellbuoy owners explain 3fd0 --cause "The deploy of 14:02 broke the sign-in; rolled back at 14:20"
    """
    _end(storm, cause, author, as_json, incident=True)


@storm_commands.command(epilog=EXIT_CODES)
def release(
    storm: _Storm,
    note: Annotated[str, typer.Option(help="A word on it, for the page.", show_default=False)] = "",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """
    Say that a storm is no incident of ours, which ends it: what it held goes to the owners as with `explain`.

    \b
    Examples:
      bellbuoy owners release 3fd0
      bellbuoy owners release 3fd0 --note "They all renewed for less, as agreed"
    """
    _end(storm, note, author, as_json, incident=False)


def _end(text: str, note: str, author: str, as_json: bool, *, incident: bool) -> None:
    from bellbuoy.cli.terminal.command_log import log_warnings
    from bellbuoy.operations.acts.storms import end_storm, find_storm, open_incidents, release_storm
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load

    log_warnings()
    settings = load()
    require_topics(settings)
    storm, by = find_storm(open_incidents(settings), text), author or getuser()
    action: AlertAction = (
        end_storm(settings, storm, cause=note, author=by)
        if incident
        else release_storm(settings, storm, note=note, author=by)
    )
    data = {
        "tenant": storm.alert.tenant,
        "id": storm.alert.alert_id,
        "action_id": action.event_id,
        "kind": action.kind,
        "author": by,
        "note": note or None,
        "held": storm.held,
    }
    said = "Explained" if incident else "Released"
    line = f"{said}: {storm.alert.title!r} of {storm.alert.tenant}; it held {_alerts(storm.held)}"
    emit(data, [f"{line}, of which those still open go to their owners."], as_json)


def _in_words(incident: Incident) -> list[str]:
    from schemas.times import iso

    alert = incident.alert
    lines = [f"{alert.alert_id}  {alert.tenant}: {alert.title}", f"  since {iso(alert.opened_at)}"]
    if incident.ends_at is not None:
        lines[1] += f", last account {iso(incident.last_at)}; holds {_alerts(incident.held)}"
        lines.append(f"  ends at {iso(incident.ends_at)} if no further account comes")
    if alert.acknowledged_by:
        lines.append(f"  {alert.acknowledged_by} is on it" + (f": {alert.note}" if alert.note else ""))
    return lines


def _alerts(number: int) -> str:
    return f"{number:,} alert{'' if number == 1 else 's'}"
