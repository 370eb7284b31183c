"""The command ``bellbuoy explain``: what makes an account's score, now or earlier, and what changed it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from bellbuoy.cli.options import TIME_FORMS, Json, Tenant, parse_past_time, require_order
from bellbuoy.cli.terminal.output import emit, fail, print_table, tell
from bellbuoy.times import now
from schemas.times import iso

if TYPE_CHECKING:
    from bellbuoy.settings import Settings

__all__ = ["explain"]


def explain(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The customer's account id.", show_default=False)
    ],
    at: Annotated[
        str | None, typer.Option(help=f"The score as it was at this time: {TIME_FORMS}.", show_default="now")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Also list what changed the score most since this time.")
    ] = None,
    tenant: Tenant = "demo",
    as_json: Json = False,
) -> None:
    """
    Explain a customer's score: every measure, the points it brings, and the caps that limit the score.

    Each measure comes with its value, the window it looks at, and the age of its evidence; the
    account with its rank in its segment and the roll-up of its parent. All of it is read from Redis.

    --at and --since are answered from Kafka instead: the account's part of the journal is folded
    again up to that time, which gives exactly what was published then. A time in the future, and one
    before the account's first event, are refused. --since lists the batches
    that changed the score most, with the events in each and what every measure gained or lost.

    \b
    Examples:
      bellbuoy explain amber-harbour-foods
      bellbuoy explain amber-harbour-foods --since 7d
      bellbuoy explain amber-harbour-foods --at 2026-01-31T09:30Z --since 2026-01-01
      bellbuoy explain 4711 --tenant acme --json
    """
    from bellbuoy.settings import load

    settings = load()
    at_ms = parse_past_time(at, settings, "--at")
    since_ms = parse_past_time(since, settings, "--since")
    require_order(since_ms, at_ms, "--since, --at")
    if at_ms is None and since_ms is None:
        _explain_present(settings, tenant, account, as_json=as_json)
    else:
        _explain_past(settings, tenant, account, at_ms, since_ms, as_json=as_json)


def _explain_present(settings: Settings, tenant: str, account: str, *, as_json: bool) -> None:
    from bellbuoy.operations.delivery.sinks import serving_reader
    from bellbuoy.query.account import as_data, look_up
    from bellbuoy.render.explanation import render_explanation

    with serving_reader(settings) as reader:
        explanation, similar = look_up(reader, tenant, account)
    if explanation is None:
        hint = f"; did you mean {', '.join(similar)}?" if similar else ""
        fail(f"tenant {tenant} has no scored account {account!r}{hint}")
    if as_json:
        print(orjson.dumps(as_data(explanation, now())).decode())
    else:
        print_table(render_explanation(explanation, now()))


def _explain_past(
    settings: Settings, tenant: str, account: str, at: int | None, since: int | None, *, as_json: bool
) -> None:
    from bellbuoy.cli.terminal.command_log import log_warnings
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.forget.erasure_list import read_erasures
    from bellbuoy.operations.kafka.registry import registry
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.query.history import account_history, as_data
    from bellbuoy.render.history import render_history

    gc.enable()  # a journal can be long
    log_warnings()
    require_topics(settings)
    erasures = read_erasures(settings)
    erased_at = erasures.erased_at(tenant, account)
    if at is not None and at <= erased_at:
        _say_erased(tenant, account, erased_at, as_json=as_json)
        return
    with progress_bar("folding", None, quiet=as_json) as progress:
        past = account_history(
            settings.kafka.connection(),
            settings.kafka.topics(),
            registry(settings),
            tenant,
            account,
            until=at,
            since=since,
            progress=progress,
            erasures=erasures,
        )
    if past.health is None and erased_at >= 0:
        _say_erased(tenant, account, erased_at, as_json=as_json)
        return
    if past.health is None:
        until = "" if at is None else f" up to {iso(at)}"
        begins = f"; it begins at {iso(past.begins)}" if past.begins else ", which is empty"
        fix = "" if at is None else ": give --at a later time, or leave it out"
        fail(f"nothing of account {account!r} of tenant {tenant}{until} is in its journal{begins}{fix}")
    # The journal's own end, as a simulation's clock may be behind ours, or ahead.
    then = past.ends if at is None else at
    if as_json:
        print(orjson.dumps(as_data(past, past.health, then, since)).decode())
    else:
        entry = erasures.of(tenant, account)
        if entry is not None and entry.people:
            tell(f"{len(entry.people)} people of {account} were erased since; what they did is left out.")
        print_table(render_history(past, past.health, then, since))


def _say_erased(tenant: str, account: str, erased_at: int, *, as_json: bool) -> None:
    data = {"tenant": tenant, "account_id": account, "erased_at": erased_at}
    said = f"Account {account!r} of tenant {tenant} was erased: nothing of up to {iso(erased_at)} is shown."
    emit(data, [said], as_json)
