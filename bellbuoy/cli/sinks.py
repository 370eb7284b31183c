"""The commands ``bellbuoy sinks``: the destinations of scores and alerts, their schemas and their content."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bellbuoy.cli.options import EXIT_CODES, DryRun, Json
from bellbuoy.cli.output import emit, fail
from bellbuoy.cli.rebuild import rebuild
from bellbuoy.exit_codes import AWAY

__all__ = ["sinks"]

sinks = typer.Typer(
    name="sinks",
    help="Prepare, check and repair the destinations of scores and alerts.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)
sinks.command(epilog=EXIT_CODES)(rebuild)

_Name = Annotated[str | None, typer.Argument(help="The sink's name; all of them without it.")]


@sinks.command(epilog=EXIT_CODES)
def migrate(sink: _Name = None, dry_run: DryRun = False, as_json: Json = False) -> None:
    """
    Bring the schema of a sink's database to this release, each change in one transaction.

    Delivery waits for it and goes on by itself; run it before the first start and after an upgrade.

    \b
    Examples:
      bellbuoy sinks migrate --dry-run
      bellbuoy sinks migrate postgres
    """
    from bellbuoy.operations.sinks import migratable
    from bellbuoy.settings import load
    from sinks.port import SinkError

    done: dict[str, list[str]] = {}
    try:
        for target in migratable(load(), sink):
            done[target.name] = target.pending()
            if not dry_run:
                done[target.name] = []
                target.migrate(done[target.name].append)
    except SinkError as error:
        fail(str(error), AWAY)
    data: dict[str, Any] = {"dry_run": dry_run, "applied": done}
    emit(data, [_sentence(name, names, dry_run=dry_run) for name, names in done.items()], as_json)


def _sentence(sink: str, names: list[str], *, dry_run: bool) -> str:
    if not names:
        return f"{sink}: the schema is this release's."
    return f"{sink}: {'would apply' if dry_run else 'applied'} {', '.join(names)}."
