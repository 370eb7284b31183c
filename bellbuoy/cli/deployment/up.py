"""The command ``bellbuoy up``: everything on this machine, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["up"]


def up(
    data: Annotated[
        Path | None,
        typer.Option(help="The directory for the servers' data.", show_default=".bellbuoy"),
    ] = None,
) -> None:
    """
    Start everything on this machine, until Ctrl-C: Kafka, Redis, the roles and the console.

    Postgres, too, for history, where the extra embedded-postgres is installed; BELLBUOY_POSTGRES=false leaves
    it out. Other commands know of it when BELLBUOY_POSTGRES__URL is the address that is printed.

    The first start fetches Kafka (45 MB), later ones need no network. The data stays between starts.

    A role that dies is started again; one that keeps dying stops everything.

    \b
    Examples:
      bellbuoy up
      bellbuoy up --data /var/lib/bellbuoy
      BELLBUOY_GATEWAY__PORT=8081 bellbuoy up
    """
    from bellbuoy.local.up import run_stack
    from bellbuoy.settings import load

    run_stack(load(**({} if data is None else {"data": data})))
