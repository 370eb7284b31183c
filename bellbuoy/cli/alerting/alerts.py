"""The commands ``bellbuoy alerts``: the alerts that are open, and what people do about them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bellbuoy.cli.alerting.alert_acts import act_commands
from bellbuoy.cli.options import EXIT_CODES, Json
from bellbuoy.cli.terminal.output import emit, print_table
from bellbuoy.times import now

__all__ = ["alerts"]


class _Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"


alerts = typer.Typer(
    name="alerts",
    help="List the alerts that are open, and act on them.\n\n"
    "An alert opens, gets worse and resolves; it is never sent again for being computed again. Whoever takes "
    "one acknowledges, snoozes or assigns it; whoever is done resolves it, or dismisses what is of no use.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@alerts.command("list", epilog=EXIT_CODES)
def list_alerts(
    tenant: Annotated[str, typer.Option(help="The tenant whose alerts are listed.")] = "demo",
    owner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only on this owner's customers; a part of the name will do."),
    ] = None,
    severity: Annotated[_Severity | None, typer.Option(help="Only alerts of this severity.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """
    List open alerts, the worst first.

    \b
    Examples:
      bellbuoy alerts list
      bellbuoy alerts list --owner ines --severity critical
      bellbuoy alerts list --tenant acme --json
    """
    import msgspec

    from bellbuoy.operations.delivery.sinks import serving_reader
    from bellbuoy.query.alerts import open_alerts
    from bellbuoy.render.alerts import render_alerts
    from bellbuoy.settings import load

    with serving_reader(load()) as reader:
        found = open_alerts(reader, tenant, owner=owner, severity=severity)
    listed = found[:limit]
    if as_json:
        emit({"tenant": tenant, "open": len(found), "alerts": msgspec.to_builtins(listed)}, [], as_json)
        return
    if not found:
        only = f" of {owner}" if owner else ""
        print(f"No alert{only} is open.")
        return
    print_table(render_alerts(listed, now()))
    if len(found) > limit:
        print(f"… and {len(found) - limit:,} more (--limit)")


alerts.add_typer(act_commands)
