"""Command `bellbuoy rebuild`: fills one sink again from Kafka alone."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.output import emit
from bellbuoy.cli.progress_bar import progress_bar
from bellbuoy.exit_codes import AWAY, FAILED
from bellbuoy.operations.roles import require_topics
from bellbuoy.settings import load

if TYPE_CHECKING:
    from bellbuoy.operations.rebuild import Rebuildable, RebuildPlan

__all__ = ["rebuild"]


def rebuild(
    sink: Annotated[str, typer.Argument(help="Which sink, e.g. redis.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    timeout: Annotated[float, typer.Option(min=1.0, help="Wait so many seconds until it is filled.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """
    Empty a sink and fill it again from account.health, account.kpis and risk.alerts.

    Delivery does the filling and may run meanwhile: it waits while the sink is emptied and then begins
    again. Without a running delivery the next one begins there. Readers find gaps until it is done.

    \b
    Examples:
      bellbuoy rebuild redis --dry-run
      bellbuoy rebuild redis
    """
    from bellbuoy.operations.rebuild import RebuildError, find, plan
    from sinks.port import SinkError

    settings = load()
    require_topics(settings)
    target = find(settings, sink)
    planned = plan(settings, target)
    answer: dict[str, Any] = {"sink": sink, "records": planned.records, "members": planned.members}
    try:
        with closing(target):
            target.open()
            answer |= {"entries": target.entries(), "dry_run": dry_run}
            if not dry_run:
                answer |= _run(target, planned, answer["entries"], timeout, quiet=as_json)
    except (RebuildError, SinkError) as error:
        sys.stderr.write(f"bellbuoy: {error}\n")
        raise typer.Exit(AWAY if isinstance(error, SinkError) else FAILED) from None
    emit(answer, [_words(**answer)], as_json)


def _run(
    target: Rebuildable, planned: RebuildPlan, entries: int, timeout: float, *, quiet: bool
) -> dict[str, Any]:
    from bellbuoy.operations.rebuild import refill

    began = time.monotonic()
    with progress_bar(f"emptying {target.name}", entries, quiet=quiet) as show:
        target.clear(show)
    if planned.members:
        with progress_bar(f"filling {target.name}", planned.records, quiet=quiet) as show:
            refill(target, planned, timeout, show)
    return {"filled": bool(planned.members), "seconds": round(time.monotonic() - began, 1)}


def _words(sink: str, entries: int, records: int, members: int, seconds: float = 0.0, **flags: bool) -> str:
    running = (
        f"{members} running `bellbuoy deliver`" if members else "`bellbuoy deliver`, which does not run now"
    )
    if flags["dry_run"]:
        return (
            f"Would remove {entries:,} entries of {sink} and leave about {records:,} records to {running}. "
            "Nothing was changed."
        )
    if not members:
        return f"{entries:,} entries of {sink} removed. Start `bellbuoy deliver`: it fills {sink} again."
    return f"{entries:,} entries of {sink} removed, about {records:,} records delivered again in {seconds} s."
