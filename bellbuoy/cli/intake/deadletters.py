"""The commands ``bellbuoy deadletters``: list, show, repair and resend records that could not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from bellbuoy.cli.intake.deadletters_filter import (
    Producer,
    Reason,
    Since,
    Status,
    Tenant,
    Topic,
    Until,
    dead_letter_filter,
    find_dead_letter,
    printable,
    read_dead_letters,
)
from bellbuoy.cli.intake.deadletters_repair import repair_commands
from bellbuoy.cli.options import EXIT_CODES, Json
from bellbuoy.cli.terminal.output import emit, warn
from schemas.times import iso

if TYPE_CHECKING:
    from bellbuoy.settings import Settings
    from schemas.records import DeadLetter

__all__ = ["deadletters"]

_TIME_NAMES = ("_at", "as_of", "until")
"""Ends of the names of fields that hold UTC milliseconds."""

_SHOWN_DIGITS = 64
"""Hexadecimal digits of a record's bytes that people are shown."""

deadletters = typer.Typer(
    name="deadletters",
    help="List the records that could not be used, repair them and send them again.",
    no_args_is_help=True,
    epilog=EXIT_CODES,
)


@deadletters.command("list", epilog=EXIT_CODES)
def list_dead_letters(
    reason: Reason = None,
    topic: Topic = None,
    tenant: Tenant = None,
    producer: Producer = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="List at most so many.")] = 50,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="List the oldest instead of the newest.")
    ] = False,
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
    from bellbuoy.settings import load
    from streams.deadletters.reader import newest, oldest

    settings = load()
    wanted = dead_letter_filter(
        settings,
        reason=reason,
        topic=topic,
        tenant=tenant,
        producer=producer,
        status=status,
        since=since,
        until=until,
    )
    letters = (oldest if oldest_first else newest)(read_dead_letters(settings, wanted), limit)
    emit({"deadletters": [_summary(letter) for letter in letters]}, _table(letters), as_json)


@deadletters.command(epilog=EXIT_CODES)
def show(
    letter_id: Annotated[
        str, typer.Argument(metavar="ID", help="The dead letter's id, or its first characters.")
    ],
    as_json: Json = False,
) -> None:
    """
    Show one dead letter: why and where it failed, its decoded fields, its headers, its key and its bytes.

    Of the bytes only the first are shown; --json has all of them, and times as UTC milliseconds.

    \b
    Examples:
      bellbuoy deadletters show 5f0c2a9e
      bellbuoy deadletters show 5f0c2a9e --json
    """
    from bellbuoy.settings import load

    settings = load()
    details = _details(find_dead_letter(settings, letter_id), settings)
    emit(details, _detail_lines(details), as_json)


deadletters.add_typer(repair_commands)


def _position(letter: DeadLetter) -> str:
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


def _details(letter: DeadLetter, settings: Settings) -> dict[str, Any]:
    from bellbuoy.operations.deadletters.repair import NO_TIME_LIMITS, DeadLetterRepair
    from bellbuoy.operations.kafka.registry import RegistryError, registry
    from streams.deadletters.reader import decoded_value

    topics = settings.kafka.topics()
    try:
        schemas = registry(settings)
    except RegistryError as error:
        warn(f"the record is shown as bytes: {error}")
        return _raw_details(letter)
    value = None if letter.cut else decoded_value(letter, topics, schemas)
    repaired = (
        None if letter.mended is None else DeadLetterRepair(topics, schemas, NO_TIME_LIMITS, 0).draft(letter)
    )
    return _raw_details(letter) | {
        "value": orjson.loads(orjson.dumps(value, default=_bytes_as_hex)),
        "mended": None if repaired is None else repaired.fields,
    }


def _raw_details(letter: DeadLetter) -> dict[str, Any]:
    """Return what is known of a dead letter without the schema of its record."""
    return _summary(letter) | {
        "value": None,
        "mended": None,
        "changed_at": letter.changed_at or None,
        "headers": {name: _text(header) for name, header in letter.headers.items()},
        "key": None if letter.key is None else _text(letter.key),
        "value_bytes": letter.value_bytes or None,
        "value_sha256": letter.value_sha256,
        "value_hex": None if letter.value is None else letter.value.hex(),
    }


def _table(letters: list[DeadLetter]) -> list[str]:
    if not letters:
        return ["No dead letters."]
    rows = [("ID", "WHEN", "STATUS", "REASON", "TOPIC/PARTITION@OFFSET", "PRODUCER", "DETAIL")]
    rows += [
        (
            letter.id,
            iso(letter.failed_at),
            letter.status,
            letter.reason,
            _position(letter),
            printable(letter.producer or "-"),
            printable(letter.detail),
        )
        for letter in letters
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[6]]) for row in rows]


def _detail_lines(details: dict[str, Any]) -> list[str]:
    return [f"{name:<12} {_detail(name, value)}" for name, value in _readable(details).items()]


def _detail(name: str, value: Any) -> str:
    if name in ("value", "mended") and isinstance(value, dict | list):
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    if name == "value_hex" and value is not None and len(value) > _SHOWN_DIGITS:
        return f"{value[:_SHOWN_DIGITS]}… {len(value) // 2:,} bytes, all of them with --json"
    return "-" if value is None else printable(value)


def _readable(value: Any) -> Any:
    """Return decoded fields with their times in ISO 8601."""
    if isinstance(value, dict):
        return {
            name: iso(one) if isinstance(one, int) and name.endswith(_TIME_NAMES) else _readable(one)
            for name, one in value.items()
        }
    return [_readable(one) for one in value] if isinstance(value, list) else value


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return text if text.isprintable() and "\ufffd" not in text else f"0x{raw.hex()}"


def _bytes_as_hex(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    raise TypeError(f"{type(value).__name__} can't be written as JSON")
