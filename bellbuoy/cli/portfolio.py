"""`bellbuoy portfolio`: how all accounts stand together, and which pull them down."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from bellbuoy.cli.output import emit
from bellbuoy.exit_codes import FAILED
from bellbuoy.settings import load

__all__ = ["portfolio"]


class _By(StrEnum):
    MEAN = "mean"
    ARR = "arr"


def portfolio(
    tenant: Annotated[str, typer.Option(help="Whose customers.")] = "demo",
    by: Annotated[_By, typer.Option(help="Every account counts the same, or as its ARR does.")] = _By.MEAN,
    parent: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this parent and all below it.")
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Only this owner's accounts.")] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the accounts of this segment.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """
    Roll accounts up: the score of all together, by parent and by segment, and the ARR at risk.

    By mean every account counts the same. By ARR an account weighs its ARR against the mean of
    its currency; amounts of different currencies are never compared. Churned accounts are left
    out, those of band unknown are only counted. ARR at risk is that of the accounts that are
    critical or at risk.

    The worst accounts are those with the lowest scores; with --by arr those that cost the score most.

    \b
    Examples:
      bellbuoy portfolio
      bellbuoy portfolio --by arr --owner Ines
      bellbuoy portfolio --parent globex-holding --tenant acme
      bellbuoy portfolio --segment mid-market --json
    """
    from rich.console import Console

    from bellbuoy.operations.sinks import serving_reader
    from bellbuoy.query.portfolio import NothingThereError, as_data, look_up
    from bellbuoy.render.portfolio import render

    given = {"parent": parent, "owner": owner, "segment": segment}
    chosen = [(kind, value) for kind, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise typer.BadParameter("give one of --parent, --owner and --segment")
    try:
        with serving_reader(load()) as reader:
            found = look_up(reader, tenant, by.value, chosen[0] if chosen else None)
    except NothingThereError as error:
        sys.stderr.write(f"bellbuoy: {error}\n")
        raise typer.Exit(FAILED) from None
    if as_json:
        emit(as_data(found), [], as_json)
    else:
        Console().print(render(found))
