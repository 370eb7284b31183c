"""Options of the commands that look at the past: worlds, files of one's own, or a live journal."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.terminal.output import fail, warn
from bellbuoy.exit_codes import CONFIGURATION

if TYPE_CHECKING:
    from bellbuoy.backtest.fold import History

__all__ = [
    "Accounts",
    "ChurnDates",
    "Days",
    "Files",
    "Journal",
    "Mapping",
    "OneTenant",
    "Seeds",
    "Worlds",
    "histories",
]

Worlds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WORLD]...", help="Worlds, by name or as YAML files (docs/worlds.md)."),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--from", metavar="FILE", help="Files of your own history; repeat it (docs/import.md)."),
]
Mapping = Annotated[
    Path | None,
    typer.Option("--map", metavar="MAP.yaml", help="With --from: which columns become which fields."),
]
Journal = Annotated[
    bool, typer.Option("--journal", help="The live journal of this deployment; changes nothing there.")
]
OneTenant = Annotated[
    str | None, typer.Option("--tenant", help="With --journal: only this tenant's accounts.")
]
ChurnDates = Annotated[
    Path | None,
    typer.Option(
        "--churn",
        metavar="FILE.csv",
        help="With --journal and --tenant: who left when (account_id, churned_at), instead of cancellations.",
    ),
]
Seeds = Annotated[
    list[str] | None,
    typer.Option(
        "--seed",
        "--seeds",
        metavar="SEED[,SEED]...",
        help="The worlds' seeds; all seeds of a world are one run.",
        show_default="the file's",
    ),
]
Accounts = Annotated[
    int | None,
    typer.Option("--accounts", min=10, max=100_000, help="Accounts of a world.", show_default="the file's"),
]
Days = Annotated[
    int | None,
    typer.Option("--days", min=85, max=3_650, help="Days of a world.", show_default="the file's"),
]


def histories(
    *,
    worlds: list[str] | None,
    files: list[Path] | None,
    mapping: Path | None,
    journal: bool,
    tenant: str | None,
    churn: Path | None,
    seeds: list[str] | None,
    accounts: int | None,
    days: int | None,
) -> list[History]:
    """Return the histories that a command line names; raise typer.BadParameter where it is contradictory."""
    if [bool(worlds), bool(files), journal].count(True) != 1:
        raise typer.BadParameter("name worlds, or give files with --from and --map, or --journal")
    if bool(files) != (mapping is not None):
        raise typer.BadParameter("--from and --map belong together")
    if not journal and (tenant is not None or churn is not None):
        raise typer.BadParameter("--tenant and --churn belong to --journal")
    if churn is not None and tenant is None:
        raise typer.BadParameter("--churn needs --tenant: the file names accounts of one tenant")
    if journal:
        return [_live_history(tenant, churn)]
    if files and mapping is not None:
        return [_own_history(files, mapping)]
    return _worlds(worlds or [], seeds, accounts, days)


def _worlds(
    names: list[str], seeds: list[str] | None, accounts: int | None, days: int | None
) -> list[History]:
    from bellbuoy.simulator.worlds.company import COMPANY, CompanyWorld
    from bellbuoy.simulator.worlds.file import WorldFileError
    from bellbuoy.simulator.worlds.world import load_world

    numbers: list[int] | list[None] = _seeds(seeds) or [None]
    try:
        return [
            CompanyWorld(number, accounts, days)
            if name == COMPANY
            else load_world(name, seed=number, accounts=accounts, days=days)
            for name in names
            for number in numbers
        ]
    except WorldFileError as error:
        fail(str(error), CONFIGURATION)


def _seeds(texts: list[str] | None) -> list[int]:
    """Return the distinct seeds of options such as ``21,22``; raise typer.BadParameter for what is none."""
    parts = [part.strip() for text in texts or () for part in text.split(",")]
    for part in parts:
        if not part.isascii() or not part.isdigit():
            raise typer.BadParameter(f"{part!r} is no seed: give whole numbers, such as --seeds 21,22,23")
    return list(dict.fromkeys(map(int, parts)))


def _own_history(files: list[Path], mapping: Path) -> History:
    from bellbuoy.importing.events import table_files
    from bellbuoy.importing.history import ImportedHistory
    from bellbuoy.importing.map_file import read_map_file
    from bellbuoy.times import now
    from schemas.codec.registry import committed

    chosen = read_map_file(mapping)
    history = ImportedHistory(chosen, table_files(chosen, files), committed(), now())
    if history.faults:
        from processors.measures.formats import count

        warn(f"{count(history.faults, 'row')} can't be used: `bellbuoy import --dry-run` lists them")
    return history


def _live_history(tenant: str | None, churn: Path | None) -> History:
    from bellbuoy.backtest.journal_history import JournalHistory, read_journal
    from bellbuoy.importing.churn import read_churn_dates
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from bellbuoy.times import now
    from schemas.codec.registry import committed

    dates = None if churn is None or tenant is None else read_churn_dates(churn, tenant, committed(), now())
    settings = load()
    require_topics(settings)
    history = JournalHistory(partial(read_journal, settings, tenant), dates)
    if history.unknown:
        some = ", ".join(history.unknown[:5])
        warn(f"{len(history.unknown):,} accounts with a churn date are not in the journal: {some}")
    return history
