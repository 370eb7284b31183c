"""The command ``bellbuoy rebuild``: empty one sink and fill it again from Kafka alone."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.options import DryRun, Json
from bellbuoy.cli.terminal.output import emit, fail
from bellbuoy.exit_codes import AWAY, FAILED

if TYPE_CHECKING:
    from bellbuoy.operations.delivery.rebuild import Rebuildable, RebuildPlan

__all__ = ["rebuild"]


def rebuild(
    sink: Annotated[
        str, typer.Argument(metavar="SINK", help="The sink's name, e.g. redis.", show_default=False)
    ],
    dry_run: DryRun = False,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Wait at most so many seconds until the sink is filled.")
    ] = 600.0,
    as_json: Json = False,
) -> None:
    """
    Empty a sink and fill it again from account.health, account.kpis and risk.alerts.

    Delivery fills it and may run meanwhile: it waits while the sink is emptied and then begins again.
    When no delivery runs, the next one that starts fills it. Readers find gaps until it is done.

    \b
    Examples:
      bellbuoy rebuild redis --dry-run
      bellbuoy rebuild redis
    """
    from bellbuoy.operations.delivery.rebuild import RebuildError, find_rebuildable, plan_rebuild
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from sinks.port import SinkError

    settings = load()
    require_topics(settings)
    target = find_rebuildable(settings, sink)
    planned = plan_rebuild(settings, target)
    data: dict[str, Any] = {"sink": sink, "records": planned.records, "members": planned.members}
    try:
        with closing(target):
            target.open()
            data |= {"entries": target.entries(), "dry_run": dry_run}
            if not dry_run:
                data |= _empty_and_refill(target, planned, data["entries"], timeout, quiet=as_json)
    except (RebuildError, SinkError) as error:
        fail(str(error), AWAY if isinstance(error, SinkError) else FAILED)
    emit(data, [_sentence(**data)], as_json)


def _empty_and_refill(
    target: Rebuildable, planned: RebuildPlan, entries: int, timeout: float, *, quiet: bool
) -> dict[str, Any]:
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.delivery.rebuild import refill

    began = time.monotonic()
    with progress_bar(f"emptying {target.name}", entries, quiet=quiet) as progress:
        target.clear(progress)
    if planned.members:
        with progress_bar(f"filling {target.name}", planned.records, quiet=quiet) as progress:
            refill(target, planned, timeout, progress)
    return {"filled": bool(planned.members), "seconds": round(time.monotonic() - began, 1)}


def _sentence(
    sink: str, entries: int, records: int, members: int, seconds: float = 0.0, **flags: bool
) -> str:
    from processors.measures.formats import count

    running = (
        f"{members} running `bellbuoy deliver`" if members else "`bellbuoy deliver`, which does not run now"
    )
    if flags["dry_run"]:
        return (
            f"Would remove {entries:,} entries of {sink} and leave about {count(records, 'record')} to "
            f"{running}. Nothing was changed."
        )
    if not members:
        return f"{entries:,} entries of {sink} removed. Start `bellbuoy deliver`: it fills {sink} again."
    again = count(records, "record")
    return f"{entries:,} entries of {sink} removed, about {again} delivered again in {seconds} s."
