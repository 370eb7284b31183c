"""The command ``bellbuoy recover``: mend positions and states where a topic is another log by now."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bellbuoy.cli.options import DryRun, Json
from bellbuoy.cli.terminal.output import emit

__all__ = ["recover"]


class _Area(StrEnum):
    INPUTS = "inputs"
    JOURNAL = "journal"
    CHANGELOG = "changelog"
    OUTPUTS = "outputs"


def recover(
    area: Annotated[_Area, typer.Argument(help="The topics to recover.", show_default=False)],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Mend what a role stopped for: a topic was made anew, cut, shortened or widened.

    Stop every journal and worker first. `journal` goes on at the states and reads what came after them from
    the inputs again. `changelog` lets the worker fold the journal again from its beginning, and `outputs`
    the same, to publish everything again. `inputs` gives a topic back its number of partitions.

    \b
    Examples:
      bellbuoy recover journal --dry-run          what is done, and what is lost
      bellbuoy recover journal
    """
    from bellbuoy.operations.recover.plan import plan_recovery
    from bellbuoy.settings import load

    recovery = plan_recovery(load(), area.value)
    if not dry_run:
        recovery.apply()
    data = {"area": area.value, "steps": recovery.steps, "losses": recovery.losses, "dry_run": dry_run}
    lines = [*recovery.steps, *(f"lost: {loss}" for loss in recovery.losses)]
    if not recovery.losses:
        lines.append("Nothing is lost.")
    lines.append("Nothing was changed." if dry_run else "Done. Start the journal and the worker.")
    emit(data, lines, as_json)
