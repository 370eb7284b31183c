"""The commands ``bellbuoy events``: the events that arrived, and what happened to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import EXIT_CODES, Json, Tenant
from bellbuoy.cli.terminal.output import emit, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from bellbuoy.query.events import ArrivedEvent

__all__ = ["events"]

events = typer.Typer(
    name="events",
    help="Show the events that arrived, and what happened to each.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@events.callback()
def _group() -> None:
    """Make a group of what is a single command so far."""


@events.command(epilog=EXIT_CODES)
def tail(
    account: Annotated[
        str | None,
        typer.Argument(metavar="[ACCOUNT]", help="Only this customer's events.", show_default=False),
    ] = None,
    tenant: Tenant = "demo",
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="Show the last so many.")] = 20,
    look_back: Annotated[
        int, typer.Option(min=1, help="Read so many of the last records of each partition of each input.")
    ] = 10_000,
    as_json: Json = False,
) -> None:
    """
    Show the last events of a tenant or of a customer, and what happened to each.

    \b
      applied      it counts, with its own event time
      waiting      the journal has not read it yet
      duplicate    an event with its id came before; it counts once
      moved        it was sent to the wrong partition, and counts in the right one
      erased       it is of an account or a person erased after it occurred, and counts no more
      dead letter  it can't be used; the reason follows, and `bellbuoy deadletters show ID` has all of it

    They are read from the input topics, which keep what came in the last 14 days; what the gateway refused
    is shown as well where it became a dead letter.

    \b
    Examples:
      bellbuoy events tail
      bellbuoy events tail amber-harbour-foods -n 5
      bellbuoy events tail --tenant acme --json
    """
    from dataclasses import asdict

    from bellbuoy.operations.kafka.registry import registry
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.query.events import arrived_events
    from bellbuoy.settings import load

    settings = load()
    require_topics(settings)
    kafka = settings.kafka
    found = arrived_events(
        kafka.connection(),
        kafka.topics(),
        registry(settings),
        tenant,
        account,
        n=n,
        look_back=look_back,
    )
    if as_json:
        emit({"tenant": tenant, "events": [asdict(one) for one in found]}, [], as_json)
    elif found:
        print_table(_table(found))
    else:
        of = tenant if account is None else f"{tenant}:{account}"
        print(f"No event of {of} is among the last {look_back:,} records of each partition.")


def _table(found: list[ArrivedEvent]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from bellbuoy.cli.intake.deadletters_filter import printable
    from schemas.times import iso

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Received", "Topic", "Customer", "Event"):
        table.add_column(name, no_wrap=name == "Received")
    table.add_column("What happened", ratio=1)
    for one in found:
        end = Text(one.end, style="red" if one.letter else "")
        if one.why:
            end.append(f": {printable(one.why)}, {one.letter[:8]}")
        words = printable(one.what) or "-"
        table.add_row(iso(one.at)[:19], one.topic, printable(one.account_id), Text(words), end)
    return table
