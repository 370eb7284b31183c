"""`bellbuoy explain`: why a score is what it is, what it was made of then, and what moved it since."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import orjson
import typer

from bellbuoy.exit_codes import FAILED
from bellbuoy.settings import Settings, load
from bellbuoy.times import MOMENT, moment, now
from schemas.times import iso

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["explain"]


def explain(
    account: Annotated[str, typer.Argument(help="The customer's account id.", show_default=False)],
    at: Annotated[str | None, typer.Option(help=f"As it stood then: {MOMENT}.", show_default="now")] = None,
    since: Annotated[str | None, typer.Option(help="And what moved it most since then.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose customer.")] = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """
    Say why a customer's score is what it is: every measure, what it brings, what holds it down.

    Each measure comes with its value, the window it looks at, and how old its evidence is; the
    account with its place in its segment and its parent's roll-up. That is read from Redis.

    --at and --since are read from Kafka instead: the account's part of the journal is folded
    again up to that time, which gives exactly what was published then. --since lists the batches
    that moved the score most, with what each brought and what every measure gained or lost.

    \b
    Examples:
      bellbuoy explain amber-harbour-foods
      bellbuoy explain amber-harbour-foods --since 7d
      bellbuoy explain amber-harbour-foods --at 2026-01-31T09:30Z --since 2026-01-01
      bellbuoy explain 4711 --tenant acme --json
    """
    at_ms, since_ms = moment(at), moment(since)
    if since_ms is not None and since_ms > (now() if at_ms is None else at_ms):
        raise typer.BadParameter("--since must lie before --at, or before now")
    settings = load()
    if at_ms is None and since_ms is None:
        _present(settings, tenant, account, as_json=as_json)
    else:
        _past(settings, tenant, account, at_ms, since_ms, as_json=as_json)


def _present(settings: Settings, tenant: str, account: str, *, as_json: bool) -> None:
    from bellbuoy.operations.sinks import serving_reader
    from bellbuoy.query.account import as_data, look_up
    from bellbuoy.render.explanation import render

    with serving_reader(settings) as reader:
        found, nearest = look_up(reader, tenant, account)
    if found is None:
        near = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        _fail(f"tenant {tenant} has no scored account {account!r}{near}")
    if as_json:
        print(orjson.dumps(as_data(found, now())).decode())
    else:
        _print(render(found, now()))


def _past(
    settings: Settings, tenant: str, account: str, at: int | None, since: int | None, *, as_json: bool
) -> None:
    from bellbuoy.cli.progress_bar import progress_bar
    from bellbuoy.operations.registry import registry
    from bellbuoy.operations.roles import require_topics
    from bellbuoy.query.history import account_history
    from bellbuoy.render.history import as_data, render

    require_topics(settings)
    with progress_bar("folding", None, quiet=as_json) as show:
        past = account_history(
            settings.kafka.bootstrap,
            settings.kafka.topics(),
            registry(settings),
            tenant,
            account,
            until=at,
            since=since,
            told=show,
        )
    if past.health is None:
        until = "" if at is None else f" up to {iso(at)}"
        begins = f"; it begins at {iso(past.begins)}" if past.begins else ", which is empty"
        _fail(f"nothing of account {account!r} of tenant {tenant}{until} is in its journal{begins}")
    # A simulation's clock may be behind ours, or ahead.
    then = past.ends if at is None else at
    if as_json:
        print(orjson.dumps(as_data(past, past.health, then, since)).decode())
    else:
        _print(render(past, past.health, then, since))


def _print(what: RenderableType) -> None:
    from rich.console import Console

    Console().print(what)


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"bellbuoy: {message}\n")
    raise typer.Exit(FAILED)
