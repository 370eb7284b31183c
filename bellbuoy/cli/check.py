"""The command ``bellbuoy check``: names what is wrong with the settings, Kafka, its topics and Redis."""

from __future__ import annotations

import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.output import emit
from bellbuoy.exit_codes import OK

__all__ = ["check"]


def check(as_json: Json = False) -> None:
    """
    Check the settings, Kafka, its topics and Redis, and list everything that is wrong.

    The exit code is the gravest of what is found.

    \b
    Examples:
      bellbuoy check
      bellbuoy check --json
    """
    from bellbuoy.operations.checks import check_deployment
    from bellbuoy.settings import load

    failures = check_deployment(load())
    lines = [f"{failure.area}: {failure.message}" for failure in failures] or ["All is well."]
    data = [{"area": failure.area, "message": failure.message} for failure in failures]
    emit({"ok": not failures, "faults": data}, lines, as_json)
    raise typer.Exit(max((failure.code for failure in failures), default=OK))
