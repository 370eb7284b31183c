"""`bellbuoy deadletters`: look at the records that could not be used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from bellbuoy.cli.deadletters_options import (
    Json,
    Producer,
    Reason,
    Since,
    Status,
    Tenant,
    Topic,
    Until,
    chosen,
    line,
    read_letters,
)
from bellbuoy.cli.output import emit
from bellbuoy.exit_codes import FAILED
from bellbuoy.settings import Settings, load
from schemas.times import iso

if TYPE_CHECKING:
    from schemas.records import DeadLetter

__all__ = ["deadletters", "one"]

deadletters = typer.Typer(
    help="Look at the records that could not be used, repair them and send them again.", no_args_is_help=True
)


@deadletters.command("list")
def list_letters(
    reason: Reason = None,
    topic: Topic = None,
    tenant: Tenant = None,
    producer: Producer = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Oldest instead of newest.")] = False,
    as_json: Json = False,
) -> None:
    """
    List dead letters, the newest first.

    \b
    Examples:
      bellbuoy deadletters list --status open
      bellbuoy deadletters list --reason undecodable --topic usage.events --since 2h
      bellbuoy deadletters list --tenant demo --json
    """
    from streams.deadletters.reader import newest, oldest

    settings = load()
    wanted = chosen(
        settings,
        reason=reason,
        topic=topic,
        tenant=tenant,
        producer=producer,
        status=status,
        since=since,
        until=until,
    )
    letters = (oldest if oldest_first else newest)(read_letters(settings, wanted), limit)
    emit({"deadletters": [_summary(letter) for letter in letters]}, _table(letters), as_json)


@deadletters.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, or its first characters.")],
    as_json: Json = False,
) -> None:
    """
    Show one dead letter whole: why, where, its headers, its key and its value, decoded where it decodes.

    \b
    Examples:
      bellbuoy deadletters show 5f0c2a9e
      bellbuoy deadletters show 5f0c2a9e --json
    """
    settings = load()
    everything = _everything(one(settings, letter_id), settings)
    emit(everything, _lines(everything), as_json)


def one(settings: Settings, letter_id: str) -> DeadLetter:
    """Return the letter whose id begins so; say so and exit when there is none, or several."""
    from streams.deadletters.reader import DeadLetterFilter

    found = list(read_letters(settings, DeadLetterFilter(ids=(letter_id,))))
    if len(found) == 1:
        return found[0]
    if found:
        fault = f"{len(found)} dead letters begin with {letter_id}: give more of the id"
    else:
        fault = f"no dead letter {letter_id}: `bellbuoy deadletters list` shows their ids"
    sys.stderr.write(f"bellbuoy: {fault}\n")
    raise typer.Exit(FAILED)


def _place(letter: DeadLetter) -> str:
    return f"{letter.topic}/{letter.partition}@{letter.offset}" if letter.offset >= 0 else letter.topic


def _summary(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "failed_at": letter.failed_at,
        "status": letter.status,
        "reason": letter.reason,
        "detail": letter.detail,
        "pointer": letter.pointer,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "producer": letter.producer,
        "tenant": letter.tenant,
    }


def _everything(letter: DeadLetter, settings: Settings) -> dict[str, Any]:
    from bellbuoy.operations.deadletters.repair import ANY_TIME, DeadLetterRepair
    from bellbuoy.operations.registry import registry
    from streams.deadletters.reader import decoded_value

    topics, known = settings.kafka.topics(), registry(settings)
    says = decoded_value(letter, topics, known)
    mended = None if letter.mended is None else DeadLetterRepair(topics, known, ANY_TIME, 0).draft(letter)
    return _summary(letter) | {
        "headers": {name: _text(value) for name, value in letter.headers.items()},
        "key": None if letter.key is None else _text(letter.key),
        "value_hex": None if letter.value is None else letter.value.hex(),
        "value": orjson.loads(orjson.dumps(says, default=_plain)),
        "changed_at": letter.changed_at or None,
        "mended": None if mended is None else mended.fields,
    }


def _table(letters: list[DeadLetter]) -> list[str]:
    if not letters:
        return ["No dead letters."]
    rows = [("ID", "WHEN", "STATUS", "REASON", "TOPIC/PARTITION@OFFSET", "PRODUCER", "DETAIL")]
    rows += [
        (x.id, iso(x.failed_at), x.status, x.reason, _place(x), line(x.producer or "-"), line(x.detail))
        for x in letters
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[6]]) for row in rows]


def _lines(everything: dict[str, Any]) -> list[str]:
    times = {name: iso(everything[name]) for name in ("failed_at", "changed_at") if everything[name]}
    return [f"{name:<10} {_shown(name, value)}" for name, value in (everything | times).items()]


def _shown(name: str, value: Any) -> str:
    if name in ("value", "mended") and isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return "-" if value is None else line(value)


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return text if text.isprintable() and "\ufffd" not in text else f"0x{raw.hex()}"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    raise TypeError(f"{type(value).__name__} has no place in JSON")
