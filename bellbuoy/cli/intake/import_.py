"""The command ``bellbuoy import``: bring a team's own history in, from files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.cli.options import DryRun, Json
from bellbuoy.cli.terminal.output import emit, fail, tell
from bellbuoy.exit_codes import AWAY, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bellbuoy.importing.run import FileSummary

__all__ = ["import_"]

_SHOWN = 20
_AGAIN = "run the same command again: it goes on where it was"


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="CSV (.gz too), NDJSON (.ndjson, .jsonl) or Parquet files."),
    ],
    mapping: Annotated[
        Path,
        typer.Option("--map", metavar="MAP.yaml", help="Which columns become which fields (docs/import.md)."),
    ],
    dry_run: DryRun = False,
    bad_rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every bad row there: file:line: why.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Import usage, tickets, invoices, surveys, contacts and profiles from files.

    First all rows are checked, and each that can't be used is named with its line; then the others are
    sent to the input topics. Killed and started again, it goes on where it was: MAP.yaml.progress says how
    far that is. The accounts' alerts are muted meanwhile: what begins before the end of the import is no
    news. Events older than 90 days can't count any more; a backtest reads them from the files
    (`bellbuoy backtest --from`).

    \b
    Examples:
      bellbuoy import usage.csv tickets.csv --map map.yaml --dry-run
      bellbuoy import export/*.parquet --map map.yaml --bad-rows bad.txt
    """
    import asyncio
    from dataclasses import asdict

    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.importing.events import table_files
    from bellbuoy.importing.map_file import read_map_file
    from bellbuoy.importing.run import SentRows, check_rows, send_rows
    from bellbuoy.operations.kafka.registry import registry
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from bellbuoy.times import now
    from gateway.http.errors import HttpError
    from gateway.outbox.dispatch import Dispatcher
    from gateway.outbox.kafka import KafkaOutbox
    from processors.measures.formats import count
    from schemas.codec.registry import committed

    chosen = read_map_file(mapping)
    tables = table_files(chosen, files)
    progress_file = SentRows(mapping.with_suffix(mapping.suffix + ".progress"))
    settings = load()
    if not dry_run:
        require_topics(settings)
    schemas = committed() if dry_run else registry(settings)
    with progress_bar("rows checked", None, quiet=as_json) as progress:
        summaries, accounts = check_rows(chosen, tables, schemas, now(), progress)
    if bad_rows is not None:
        lines = (f"{one.path}:{line}: {why}\n" for one in summaries for line, why in one.bad)
        bad_rows.write_text("".join(lines), encoding="utf-8")
    data = {"dry_run": dry_run, "files": [asdict(one) | {"path": str(one.path)} for one in summaries]}
    report = list(_lines(summaries))
    if not dry_run:
        kafka = settings.kafka

        async def send() -> int:
            outbox = KafkaOutbox(kafka.connection(), kafka.topics(), max_waiting=100_000, timeout_seconds=60)
            await outbox.open()
            try:
                dispatcher = Dispatcher(outbox, kafka.topics(), schemas)
                return await send_rows(
                    chosen, tables, accounts, dispatcher, schemas, progress_file, now, progress
                )
            finally:
                await outbox.close()

        try:
            with progress_bar("rows sent", sum(one.rows for one in summaries), quiet=as_json) as progress:
                before = asyncio.run(send())
        except HttpError as error:
            fail(f"{error.message}; {_AGAIN}", AWAY)
        except KeyboardInterrupt:
            fail(f"interrupted; {_AGAIN}", INTERRUPTED)
        data["rows_sent_before"] = before
        events = sum(one.events for one in summaries)
        report.append(
            f"Sent: {count(events, 'event')} of {count(len(accounts), 'account')}"
            + (f"; {count(before, 'row')} sent before." if before else ".")
        )
    elif not as_json:
        tell("Dry run: nothing was sent.")
    emit(data, report, as_json)
    if any(one.faults for one in summaries):
        raise typer.Exit(FAILED)


def _lines(summaries: Sequence[FileSummary]) -> Iterator[str]:
    from processors.measures.formats import count

    shown = 0
    for one in summaries:
        parts = [
            f"{number:,} {what}"
            for number, what in (
                (one.events, "events"),
                (one.churn_dates, "churn dates (for a backtest)"),
                (one.skipped, "without an event"),
                (one.too_old, "older than 90 days (for a backtest)"),
                (one.faults, "bad"),
            )
            if number
        ]
        yield f"{one.path}, table {one.table}: {count(one.rows, 'row')}: {', '.join(parts) or 'none'}"
        for line, why in one.bad:
            if shown == _SHOWN:
                break
            shown += 1
            yield f"  {one.path}:{line}: {why}"
    faults = sum(one.faults for one in summaries)
    if faults > shown:
        yield f"  … and {faults - shown:,} bad rows more; --bad-rows FILE has them all"
