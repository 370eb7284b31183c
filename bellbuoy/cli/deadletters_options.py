"""What the commands on dead letters have in common: the filter, and reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellbuoy.operations import topics as admin
from bellbuoy.settings import Settings
from bellbuoy.times import MOMENT, moment
from schemas.records.dead_letters import REASONS, STATUSES

if TYPE_CHECKING:
    from schemas.records import DeadLetter
    from streams.deadletters.reader import DeadLetterFilter

__all__ = [
    "Json",
    "Producer",
    "Reason",
    "Since",
    "Status",
    "Tenant",
    "Topic",
    "Until",
    "chosen",
    "line",
    "read_letters",
]

_PANEL = "Which letters"


def _one_of(known: tuple[str, ...]) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is not None and value not in known:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}")
        return value

    return check


Reason = Annotated[
    str | None,
    typer.Option(
        callback=_one_of(REASONS), rich_help_panel=_PANEL, help=f"With this reason: {', '.join(REASONS)}."
    ),
]
Status = Annotated[
    str | None,
    typer.Option(callback=_one_of(STATUSES), rich_help_panel=_PANEL, help=f"{', '.join(STATUSES)}."),
]
Topic = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help="Of this topic, e.g. usage.events.")]
Tenant = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help="Of this tenant.")]
Producer = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help="Sent by this one, e.g. segment.")]
Since = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help=f"Set aside since then: {MOMENT}.")]
Until = Annotated[str | None, typer.Option(rich_help_panel=_PANEL, help="Set aside before then.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def chosen(settings: Settings, ids: tuple[str, ...] = (), **given: str | None) -> DeadLetterFilter:
    """Return the filter that the options name; raise typer.BadParameter."""
    from streams.deadletters.reader import DeadLetterFilter

    topic = given.pop("topic")
    since, until = moment(given.pop("since")), moment(given.pop("until"))
    plain = None if topic is None else settings.kafka.topics().plain(topic)
    return DeadLetterFilter(topic=plain, since=since, until=until, ids=ids or None, **given)


def read_letters(settings: Settings, wanted: DeadLetterFilter) -> Iterator[DeadLetter]:
    """Read the letters; raise KafkaAwayError and KafkaException."""
    from bellbuoy.operations.registry import registry
    from streams.deadletters.reader import read_dead_letters

    admin.names(settings.kafka.bootstrap)  # says clearly that Kafka is away
    return read_dead_letters(settings.kafka.bootstrap, settings.kafka.topics(), registry(settings), wanted)


def line(value: Any) -> str:
    """Return text that can't move the cursor: what is shown came from outside."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))
