"""The command ``bellbuoy check``: names what is wrong with the settings, Kafka, its topics and Redis."""

from __future__ import annotations

import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.terminal.output import emit
from bellbuoy.exit_codes import OK

__all__ = ["check"]


def check(as_json: Json = False) -> None:
    """
    Check the settings, Kafka, its topics and Redis, and list everything that is wrong.

    The exit code is the gravest of what is found. What works, but could be safer, is listed as advice.

    \b
    Examples:
      bellbuoy check
      bellbuoy check --json
    """
    from bellbuoy.operations.checks import check_deployment
    from bellbuoy.settings import load

    found = check_deployment(load())
    faults, advice = [x for x in found if x.code != OK], [x for x in found if x.code == OK]
    lines = [f"{fault.area}: {fault.message}" for fault in faults] or ["All is well."]
    lines += [f"advice: {x.message}" for x in advice]
    data = {
        "ok": not faults,
        "faults": [{"area": x.area, "message": x.message} for x in faults],
        "advice": [{"area": x.area, "message": x.message} for x in advice],
    }
    emit(data, lines, as_json)
    raise typer.Exit(max((fault.code for fault in faults), default=OK))
