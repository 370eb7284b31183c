"""The command ``bellbuoy backtest``: hold a model against worlds whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.output import emit, fail, warn
from bellbuoy.exit_codes import CONFIGURATION

if TYPE_CHECKING:
    from bellbuoy.backtest.fold import History
    from bellbuoy.importing.history import ImportedHistory

__all__ = ["backtest"]


def backtest(
    worlds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORLD]...", help="Worlds, by name or as YAML files (docs/worlds.md)."),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="Files of your own history; repeat it (docs/import.md)."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--map", metavar="MAP.yaml", help="With --from: which columns become which fields."),
    ] = None,
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
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with plots, for people, there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Hold a model against worlds whose truth is known, or against your own history.

    Does it warn early, and is it right? The model scores each day of a world with nothing later visible,
    publishing nothing. Scores and alerts are then compared with who really left, when, and why. Only
    customers who have not given notice count. The first 84 days of a world are not counted, because the model
    has no past to compare with yet.

    \b
    Examples:
      bellbuoy backtest saas
      bellbuoy backtest saas selfserve --seed 1 --seed 2 --accounts 400
      bellbuoy backtest my-world.yaml --model health.yaml --json
      bellbuoy backtest --from usage.csv --from churn.csv --map map.yaml
      bellbuoy backtest saas --html report.html
    """
    from bellbuoy.backtest.html import html_page
    from bellbuoy.backtest.report import as_data, markdown_tables, text_lines
    from bellbuoy.backtest.run import run_backtest
    from bellbuoy.cli.progress_bar import progress_bar
    from bellbuoy.operations.model_files import ModelFileError, load_file
    from bellbuoy.simulator.worlds.file import WorldFileError
    from bellbuoy.simulator.worlds.world import load_world

    if bool(worlds) == bool(history) or (history is not None and mapping is None):
        raise typer.BadParameter("name worlds, or give files with --from and --map")
    seeds: list[int] | list[None] = seed or [None]
    chosen: list[History] = []
    try:
        loaded = load_file(model)
        for name in worlds or []:
            chosen += [load_world(name, seed=number, accounts=accounts, days=days) for number in seeds]
    except (ModelFileError, WorldFileError) as error:
        fail(str(error), CONFIGURATION)
    if history and mapping is not None:
        chosen.append(_own_history(history, mapping))
    runs = []
    for world in chosen:
        with progress_bar(f"{world.name} {world.seed}, days", world.days, quiet=as_json) as progress:
            runs.append(run_backtest(world, loaded, progress))
    if html is not None:
        html.write_text(html_page(runs), encoding="utf-8")
    lines = list(markdown_tables(runs)) if markdown else [line for run in runs for line in text_lines(run)]
    emit(as_data(runs), lines, as_json)


def _own_history(files: list[Path], mapping: Path) -> ImportedHistory:
    from bellbuoy.importing.events import table_files
    from bellbuoy.importing.history import ImportedHistory
    from bellbuoy.importing.map_file import read_map_file
    from bellbuoy.times import now
    from schemas.codec.registry import committed

    chosen = read_map_file(mapping)
    history = ImportedHistory(chosen, table_files(chosen, files), committed(), now())
    if history.faults:
        warn(f"{history.faults:,} rows can't be used: `bellbuoy import --dry-run` lists them")
    return history
