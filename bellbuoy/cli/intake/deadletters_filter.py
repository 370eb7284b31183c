"""Options that choose dead letters, and the functions that read those chosen."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.cli.options import TIME_FORMS, parse_past_time, parse_time, require_order
from bellbuoy.cli.terminal.output import fail

if TYPE_CHECKING:
    from bellbuoy.settings import Settings
    from schemas.records import DeadLetter
    from streams.deadletters.reader import DeadLetterFilter

__all__ = [
    "Producer",
    "Reason",
    "Since",
    "Status",
    "Tenant",
    "Topic",
    "Until",
    "dead_letter_filter",
    "find_dead_letter",
    "printable",
    "read_dead_letters",
]

_PANEL = "Which dead letters"


class _Reason(StrEnum):
    """``schemas.records.dead_letters.REASONS``; named here as well, so that help texts need not load it."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    INVALID = "invalid"
    TOO_LATE = "too_late"
    FROM_FUTURE = "from_future"
    UNRESOLVED_ACCOUNT = "unresolved_account"


class _Status(StrEnum):
    """``schemas.records.dead_letters.STATUSES``; named here as well for the same reason."""

    OPEN = "open"
    REPAIRED = "repaired"
    REDRIVEN = "redriven"


Reason = Annotated[_Reason | None, typer.Option(rich_help_panel=_PANEL, help="With this reason.")]
Status = Annotated[_Status | None, typer.Option(rich_help_panel=_PANEL, help="With this status.")]
Topic = Annotated[
    str | None, typer.Option(rich_help_panel=_PANEL, help="Records of this topic, e.g. usage.events.")
]
Tenant = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help="Records of this tenant.")]
Producer = Annotated[
    str | None, typer.Option(rich_help_panel=_PANEL, help="Records that this producer sent, e.g. segment.")
]
Since = Annotated[
    str | None, typer.Option(rich_help_panel=_PANEL, help=f"Failed at this time or later: {TIME_FORMS}.")
]
Until = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help="Failed before this time.")]


def dead_letter_filter(
    settings: Settings, ids: tuple[str, ...] = (), **options: str | None
) -> DeadLetterFilter:
    """Return the filter that the options describe; raise typer.BadParameter."""
    from streams.deadletters.reader import DeadLetterFilter

    topic = options.pop("topic")
    since = parse_past_time(options.pop("since"), settings, "--since")
    until = parse_time(options.pop("until"))
    require_order(since, until, "--since, --until")
    plain = None if topic is None else settings.kafka.topics().plain(topic)
    return DeadLetterFilter(topic=plain, since=since, until=until, ids=ids or None, **options)


def read_dead_letters(settings: Settings, wanted: DeadLetterFilter) -> Iterator[DeadLetter]:
    """Read the dead letters that the filter lets through; raise KafkaAwayError and KafkaException."""
    from bellbuoy.operations.kafka.topics import topic_partitions
    from streams.deadletters import reader

    topic_partitions(settings.kafka.connection())  # its error says clearly that Kafka is away
    kafka = settings.kafka
    return reader.read_dead_letters(kafka.connection(), kafka.topics(), wanted)


def find_dead_letter(settings: Settings, id_prefix: str) -> DeadLetter:
    """Return the dead letter whose id begins so; end the command when there is none, or are several."""
    from streams.deadletters.reader import DeadLetterFilter

    matching = list(read_dead_letters(settings, DeadLetterFilter(ids=(id_prefix,))))
    if not matching:
        fail(f"no dead letter {id_prefix}: `bellbuoy deadletters list` shows their ids")
    if len(matching) > 1:
        fail(f"{len(matching)} dead letters begin with {id_prefix}: give more of the id")
    return matching[0]


def printable(value: Any) -> str:
    """Return a value as text without control characters: from outside, it must not move the cursor."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))
