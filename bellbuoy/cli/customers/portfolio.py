"""The command ``bellbuoy portfolio``: the scores of all accounts together, by parent and by segment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.terminal.output import emit, fail, print_table

__all__ = ["portfolio"]


class _Weighting(StrEnum):
    MEAN = "mean"
    ARR = "arr"


def portfolio(
    tenant: Annotated[str, typer.Option(help="The tenant whose customers are rolled up.")] = "demo",
    by: Annotated[
        _Weighting,
        typer.Option(help="mean: every account counts the same; arr: each counts as its ARR does."),
    ] = _Weighting.MEAN,
    parent: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this parent and all accounts below it.")
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Only this owner's accounts.")] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the accounts of this segment.")
    ] = None,
    as_json: Json = False,
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
    from bellbuoy.operations.delivery.sinks import serving_reader
    from bellbuoy.query.portfolio import NoAccountsError, as_data, look_up
    from bellbuoy.render.portfolio import render_portfolio
    from bellbuoy.settings import load

    options = {"parent": parent, "owner": owner, "segment": segment}
    filters = [(kind, value) for kind, value in options.items() if value is not None]
    if len(filters) > 1:
        raise typer.BadParameter("give one of --parent, --owner and --segment")
    try:
        with serving_reader(load()) as reader:
            rolled = look_up(reader, tenant, by.value, filters[0] if filters else None)
    except NoAccountsError as error:
        fail(str(error))
    if as_json:
        emit(as_data(rolled), [], as_json)
    else:
        print_table(render_portfolio(rolled))
