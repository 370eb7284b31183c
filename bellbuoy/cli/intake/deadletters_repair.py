"""The commands ``bellbuoy deadletters repair`` and ``redrive``: correct dead letters and send them again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from bellbuoy.cli.intake.deadletters_filter import (
    Producer,
    Reason,
    Since,
    Tenant,
    Topic,
    Until,
    dead_letter_filter,
    find_dead_letter,
    printable,
    read_dead_letters,
)
from bellbuoy.cli.intake.editor import edit_text
from bellbuoy.cli.options import EXIT_CODES, DryRun, Json
from bellbuoy.cli.terminal.output import emit, fail, warn
from bellbuoy.errors import ConfigError
from bellbuoy.exit_codes import FAILED, OK

if TYPE_CHECKING:
    from bellbuoy.operations.deadletters.redrive import RedriveResult
    from bellbuoy.operations.deadletters.repair import DeadLetterRepair, Draft
    from schemas.records import DeadLetter

__all__ = ["repair_commands"]

_SHOWN_LETTERS = 20

_Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Ids of dead letters, or their first characters.", show_default=False
    ),
]

repair_commands = typer.Typer()


@repair_commands.command(epilog=EXIT_CODES)
def repair(
    ids: _Ids = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Set a field, named plainly or by JSON pointer; repeatable.",
        ),
    ] = None,
    unsets: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="Remove a field; repeatable.")
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
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    List every fault of dead letters with its JSON pointer and the fix, and correct them.

    A record that fits its topic's schema and the rules of admission is kept beside the original, and
    `redrive` sends it. A dead letter that still has a fault stays as it was; then the exit code is 1.

    \b
    Examples:
      bellbuoy deadletters repair 5f0c2a9e
      bellbuoy deadletters repair 5f0c2a9e --set duration_ms=1200 --unset colour
      bellbuoy deadletters repair 5f0c2a9e --set /context/groupId=acme
      bellbuoy deadletters repair --producer app --reason invalid --set csat=null
      bellbuoy deadletters repair 5f0c2a9e --file record.json
    """
    from bellbuoy.operations.deadletters import redrive as redriving
    from bellbuoy.operations.deadletters.edits import edited
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load

    settings = load()
    filters = {"reason": reason, "topic": topic, "tenant": tenant, "producer": producer}
    filters |= {"since": since, "until": until}
    _require_choice(ids, filters)
    record = None if file is None else _json_object(file.read(), "--file")
    require_topics(settings)
    letters = read_dead_letters(settings, dead_letter_filter(settings, tuple(ids or ()), **filters))
    if record is not None or edit:
        if len(ids or ()) != 1:
            raise ConfigError("--file and --edit correct one dead letter: give its ID")
        letters = iter([find_dead_letter(settings, (ids or [""])[0])])

    edited_files: list[Path] = []

    def change(repairs: DeadLetterRepair, letter: DeadLetter) -> Draft | None:
        draft = repairs.draft(letter) if record is None else repairs.whole(letter, record)
        if draft is None:
            return None
        fields = draft.fields
        if edit:
            text = orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode()
            edited_files.append(edit_text(text, ".json"))
            fields = _json_object(edited_files[-1].read_text(), str(edited_files[-1]))
        return replace(draft, fields=edited(fields, sets or (), unsets or (), repairs.reader(draft)))

    changing = bool(sets or unsets or edit or record is not None)
    result = redriving.repair(settings, letters, change if changing else None, dry_run=dry_run)
    for path in edited_files:
        if result.faulty:
            warn(f"your edit is kept in {path}; --file takes it")
        else:
            path.unlink()
    verb = "would be repaired" if dry_run else "repaired; `bellbuoy deadletters redrive` sends them"
    key, verb = ("repaired", verb) if changing else ("right", "right already")
    _print_result(result, key, verb, dry_run=dry_run, as_json=as_json)


@repair_commands.command(epilog=EXIT_CODES)
def redrive(
    ids: _Ids = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every dead letter whose record has no fault.")
    ] = False,
    reason: Reason = None,
    topic: Topic = None,
    tenant: Tenant = None,
    producer: Producer = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """
    Send the records of dead letters to their topics again, with their own event times and ids.

    Each is sent once, however often this runs and whatever is killed. A record that still has a fault stays
    and is listed with its faults, and so does an event that has become too old to count; then the exit code
    is 1. A notification that a channel failed to deliver goes to that channel alone, once more; as people get
    it, it must be named by its id or by --topic alert.notifications.

    \b
    Examples:
      bellbuoy deadletters redrive 5f0c2a9e
      bellbuoy deadletters redrive --reason invalid --producer app --dry-run
      bellbuoy deadletters redrive --all
      bellbuoy deadletters redrive --topic alert.notifications --since 1d
    """
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.deadletters import redrive as redriving
    from bellbuoy.operations.kafka.topics import require_topics
    from bellbuoy.settings import load
    from streams.kafka.errors import FencedError

    settings = load()
    filters = {"reason": reason, "topic": topic, "tenant": tenant, "producer": producer}
    filters |= {"since": since, "until": until}
    if not every:
        _require_choice(ids, filters)
    require_topics(settings)
    wanted = dead_letter_filter(settings, tuple(ids or ()), **filters)
    try:
        with progress_bar("redriving", None, quiet=as_json) as progress:
            result = redriving.redrive(settings, wanted, progress, dry_run=dry_run)
    except FencedError:
        fail("another redrive took over; the records that this one had sent are marked as redriven")
    verb = "would be sent" if dry_run else "sent"
    _print_result(result, "redriven", verb, dry_run=dry_run, as_json=as_json)


def _require_choice(ids: list[str] | None, filters: dict[str, str | None]) -> None:
    if not ids and not any(filters.values()):
        raise ConfigError("say which dead letters: IDs, or a filter such as --reason (see --help)")


def _json_object(text: str, source: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{source} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{source} is not one JSON object")
    return fields


def _print_result(result: RedriveResult, key: str, verb: str, *, dry_run: bool, as_json: bool) -> None:
    lines = [f"{result.done:,} {verb}."]
    if result.already:
        lines.append(f"{result.already:,} had been redriven before and stay as they are.")
    if result.faulty:
        lines.append(f"{len(result.faulty):,} not right:")
    for letter, flaws in result.faulty[:_SHOWN_LETTERS]:
        lines.append(f"  {letter.id}  {letter.topic}, {letter.reason}")
        lines += [
            f"    {printable(flaw.pointer or '(whole)')}: {printable(flaw.what)}\n"
            f"      fix: {printable(flaw.fix)}"
            for flaw in flaws
        ]
    if len(result.faulty) > _SHOWN_LETTERS:
        lines.append(f"  … and {len(result.faulty) - _SHOWN_LETTERS:,} more (--json has all)")
    emit(result.as_data(key) | {"dry_run": dry_run}, lines, as_json)
    raise typer.Exit(FAILED if result.faulty else OK)
