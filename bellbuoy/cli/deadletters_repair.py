"""`bellbuoy deadletters repair` and `redrive`: make records right, and send them through the front again."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from bellbuoy.cli.deadletters import deadletters, one
from bellbuoy.cli.deadletters_options import (
    Json,
    Producer,
    Reason,
    Since,
    Tenant,
    Topic,
    Until,
    chosen,
    line,
    read_letters,
)
from bellbuoy.cli.editor import edit_text
from bellbuoy.cli.output import emit
from bellbuoy.cli.progress_bar import progress_bar
from bellbuoy.exit_codes import FAILED, OK
from bellbuoy.operations.deadletters.edits import EditError, edited
from bellbuoy.operations.roles import require_topics
from bellbuoy.settings import ConfigError, load

if TYPE_CHECKING:
    from bellbuoy.operations.deadletters.redrive import RedriveOutcome
    from bellbuoy.operations.deadletters.repair import DeadLetterRepair, Draft
    from schemas.records import DeadLetter

__all__ = ["deadletters"]

_MOST_SHOWN = 20

_Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Ids of letters, or their first characters.", show_default=False),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@deadletters.command()
def repair(
    ids: _Ids = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Set a field, named or by JSON pointer; repeatable."
        ),
    ] = None,
    unsets: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="Take a field away; repeatable.")
    ] = None,
    file: Annotated[
        typer.FileText | None, typer.Option(help="Take the whole record from this JSON file; - is stdin.")
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Open the record in $EDITOR.")] = False,
    reason: Reason = None,
    topic: Topic = None,
    tenant: Tenant = None,
    producer: Producer = None,
    since: Since = None,
    until: Until = None,
    dry_run: _DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Show every fault of dead letters with its pointer and fix, and make them right.

    What is right by its topic's schema and the rules of admission is kept beside the original, and sent by
    `redrive`. A letter that still has a fault stays as it was; then the exit code is 1.

    \b
    Examples:
      bellbuoy deadletters repair 5f0c2a9e
      bellbuoy deadletters repair 5f0c2a9e --set duration_ms=1200 --unset colour
      bellbuoy deadletters repair 5f0c2a9e --set /context/groupId=acme
      bellbuoy deadletters repair --producer app --reason invalid --set csat=null
      bellbuoy deadletters repair 5f0c2a9e --file record.json
    """
    from bellbuoy.operations.deadletters import redrive as redriving

    settings = load()
    filters = {"reason": reason, "topic": topic, "tenant": tenant, "producer": producer}
    filters |= {"since": since, "until": until}
    _must_choose(ids, filters)
    whole = None if file is None else _object(file.read(), "--file")
    require_topics(settings)
    letters = read_letters(settings, chosen(settings, tuple(ids or ()), **filters))
    if whole is not None or edit:
        if len(ids or ()) != 1:
            raise ConfigError("--file and --edit make one letter right: give its ID")
        letters = iter([one(settings, (ids or [""])[0])])

    edits: list[Path] = []

    def change(mends: DeadLetterRepair, letter: DeadLetter) -> Draft | None:
        draft = mends.draft(letter) if whole is None else mends.whole(letter, whole)
        if draft is None:
            return None
        fields = draft.fields
        if edit:
            edits.append(edit_text(orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode(), ".json"))
            fields = _object(edits[-1].read_text(), str(edits[-1]))
        return replace(draft, fields=edited(fields, sets or (), unsets or (), mends.reader(draft)))

    changing = bool(sets or unsets or edit or whole is not None)
    try:
        outcome = redriving.repair(settings, letters, change if changing else None, dry_run=dry_run)
    except EditError as error:
        raise ConfigError(str(error)) from None
    for path in edits:
        if outcome.faulty:
            sys.stderr.write(f"bellbuoy: your edit is kept in {path}; --file takes it\n")
        else:
            path.unlink()
    verb = "would be repaired" if dry_run else "repaired; `bellbuoy deadletters redrive` sends them"
    key, verb = ("repaired", verb) if changing else ("right", "right already")
    _tell(outcome, key, verb, dry_run=dry_run, as_json=as_json)


@deadletters.command()
def redrive(
    ids: _Ids = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter that is right.")] = False,
    reason: Reason = None,
    topic: Topic = None,
    tenant: Tenant = None,
    producer: Producer = None,
    since: Since = None,
    until: Until = None,
    dry_run: _DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Send dead letters through the front again, with their own event times and ids.

    Each letter is sent once, however often this runs and whatever is killed. One that is not right yet stays
    and is told with its faults, an event that has become too old for the rings as well; then the exit code
    is 1.

    \b
    Examples:
      bellbuoy deadletters redrive 5f0c2a9e
      bellbuoy deadletters redrive --reason invalid --producer app --dry-run
      bellbuoy deadletters redrive --all
    """
    from bellbuoy.operations.deadletters import redrive as redriving
    from streams.kafka.errors import FencedError

    settings = load()
    filters = {"reason": reason, "topic": topic, "tenant": tenant, "producer": producer}
    filters |= {"since": since, "until": until}
    if not every:
        _must_choose(ids, filters)
    require_topics(settings)
    wanted = chosen(settings, tuple(ids or ()), **filters)
    try:
        with progress_bar("redriving", None, quiet=as_json) as show:
            outcome = redriving.redrive(settings, wanted, show, dry_run=dry_run)
    except FencedError:
        sys.stderr.write("bellbuoy: another redrive took over; what this one had sent is marked\n")
        raise typer.Exit(FAILED) from None
    _tell(outcome, "redriven", "would be sent" if dry_run else "sent", dry_run=dry_run, as_json=as_json)


def _must_choose(ids: list[str] | None, filters: dict[str, str | None]) -> None:
    if not ids and not any(filters.values()):
        raise ConfigError("say which letters: IDs, or a filter such as --reason (see --help)")


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{what} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{what} is not one JSON object")
    return fields


def _tell(outcome: RedriveOutcome, key: str, verb: str, *, dry_run: bool, as_json: bool) -> None:
    lines = [f"{outcome.done:,} {verb}."]
    if outcome.already:
        lines.append(f"{outcome.already:,} had been redriven before and stay as they are.")
    if outcome.faulty:
        lines.append(f"{len(outcome.faulty):,} not right:")
    for letter, flaws in outcome.faulty[:_MOST_SHOWN]:
        lines.append(f"  {letter.id}  {letter.topic}, {letter.reason}")
        lines += [
            f"    {line(f.pointer or '(whole)')}: {line(f.what)}\n      fix: {line(f.fix)}" for f in flaws
        ]
    if len(outcome.faulty) > _MOST_SHOWN:
        lines.append(f"  … and {len(outcome.faulty) - _MOST_SHOWN:,} more (--json has all)")
    emit(outcome.as_data(key) | {"dry_run": dry_run}, lines, as_json)
    raise typer.Exit(FAILED if outcome.faulty else OK)
