"""The command ``bellbuoy backtest``: hold a model against worlds whose truth is known."""

from __future__ import annotations

from typing import Annotated

import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.output import emit, fail
from bellbuoy.exit_codes import CONFIGURATION

__all__ = ["backtest"]


def backtest(
    worlds: Annotated[
        list[str],
        typer.Argument(metavar="WORLD...", help="Worlds, by name or as YAML files (docs/worlds.md)."),
    ],
    model: Annotated[str, typer.Option(metavar="FILE", help="The model: a file, or `default`.")] = "default",
    seed: Annotated[
        list[int] | None, typer.Option(help="The worlds' seeds.", show_default="the file's")
    ] = None,
    accounts: Annotated[
        int | None, typer.Option(min=10, max=100_000, help="Accounts of a world.", show_default="the file's")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=85, max=3_650, help="Days of a world.", show_default="the file's")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Json = False,
) -> None:
    """
    Hold a model against worlds whose truth is known.

    Does it warn early, and is it right? The model scores each day of a world with nothing later visible,
    publishing nothing. Scores and alerts are then compared with who really left, when, and why. Only
    customers who have not given notice count. The first 84 days of a world are not counted, because the model
    has no past to compare with yet.

    \b
    Examples:
      bellbuoy backtest saas
      bellbuoy backtest saas selfserve --seed 1 --seed 2 --accounts 400
      bellbuoy backtest my-world.yaml --model health.yaml --json
    """
    from bellbuoy.backtest.report import as_data, markdown_tables, text_lines
    from bellbuoy.backtest.run import run_backtest
    from bellbuoy.cli.progress_bar import progress_bar
    from bellbuoy.operations.model_files import ModelFileError, load_file
    from bellbuoy.simulator.worlds.file import WorldFileError
    from bellbuoy.simulator.worlds.world import load_world

    seeds: list[int] | list[None] = seed or [None]
    try:
        loaded = load_file(model)
        chosen = [
            load_world(name, seed=number, accounts=accounts, days=days) for name in worlds for number in seeds
        ]
    except (ModelFileError, WorldFileError) as error:
        fail(str(error), CONFIGURATION)
    runs = []
    for world in chosen:
        with progress_bar(f"{world.name} {world.seed}, days", world.days, quiet=as_json) as progress:
            runs.append(run_backtest(world, loaded, progress))
    lines = list(markdown_tables(runs)) if markdown else [line for run in runs for line in text_lines(run)]
    emit(as_data(runs), lines, as_json)
