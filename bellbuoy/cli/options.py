"""Options that several commands share, and the way they read a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from bellbuoy.times import now, utc_milliseconds
from schemas.times import DAY, HOUR, MINUTE, iso

if TYPE_CHECKING:
    from bellbuoy.settings import Settings
    from gateway.settings import GatewaySettings

__all__ = [
    "EXIT_CODES",
    "TIME_AHEAD_FORMS",
    "TIME_FORMS",
    "Author",
    "DryRun",
    "GatewayUrl",
    "Json",
    "Tenant",
    "gateway_address",
    "parse_past_time",
    "parse_time",
    "parse_time_ahead",
    "require_order",
]

EXIT_CODES = (
    "Exit codes: 0 ok · 1 failed · 2 usage or configuration · 3 a topic is another log by now · "
    "69 a needed service is away · 70 internal error"
)
TIME_FORMS = "2026-01-31, 2026-01-31T09:30Z, or how long ago: 45m, 12h, 7d"
"""The forms that ``parse_time`` takes, for help texts."""

TIME_AHEAD_FORMS = "2027-01-31, 2027-01-31T09:30Z, or in how long: 45m, 12h, 7d"
"""The forms that ``parse_time_ahead`` takes, for help texts."""

Author = Annotated[
    str, typer.Option(help="Who makes this change; kept with it.", show_default="your user name")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; change nothing.")]
GatewayUrl = Annotated[
    str | None, typer.Option(help="Address of the gateway.", show_default="gateway.host and gateway.port")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Tenant = Annotated[str, typer.Option(help="The tenant that the customer belongs to.")]

_LENGTH = re.compile(r"(\d{1,6})([mhd])\Z")
_UNIT = {"m": MINUTE, "h": HOUR, "d": DAY}


def gateway_address(url: str | None, settings: GatewaySettings) -> str:
    """Return the typed address of the gateway, or the one of its settings, without a slash at the end."""
    return (url or f"http://{settings.host}:{settings.port}").rstrip("/")


def parse_time(text: str | None) -> int | None:
    """Return a typed time in UTC milliseconds; raise typer.BadParameter for text in none of TIME_FORMS."""
    if text is None:
        return None
    ago = _LENGTH.match(text)
    if ago is not None:
        return now() - int(ago[1]) * _UNIT[ago[2]]
    try:
        return utc_milliseconds(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: give {TIME_FORMS}") from None


def parse_past_time(text: str | None, settings: Settings, option: str) -> int | None:
    """
    Return a typed time of the past in UTC milliseconds; raise typer.BadParameter and KafkaAwayError.

    What is later than the wall clock and than the journal's time, which in a simulation may be ahead, is in
    the future.
    """
    typed, present = parse_time(text), now()
    if typed is None or typed <= present:
        return typed
    from bellbuoy.operations.kafka.journal_time import journal_time

    present = max(present, journal_time(settings))
    if typed > present:
        raise typer.BadParameter(
            f"{text!r} is in the future: give a time up to {iso(present)}", param_hint=option
        )
    return typed


def require_order(first: int | None, last: int | None, options: str) -> None:
    """Raise typer.BadParameter for a range that ends before it begins; *options* are its two options."""
    if first is not None and last is not None and last < first:
        raise typer.BadParameter(
            f"the range ends ({iso(last)}) before it begins ({iso(first)})", param_hint=options
        )


def parse_time_ahead(text: str, now: int) -> int:
    """Return a typed time after *now*, both UTC milliseconds; raise typer.BadParameter for any other text."""
    length = _LENGTH.match(text)
    try:
        ends = now + int(length[1]) * _UNIT[length[2]] if length is not None else utc_milliseconds(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: give {TIME_AHEAD_FORMS}") from None
    if ends <= now:
        raise typer.BadParameter(f"{text!r} is over: give {TIME_AHEAD_FORMS}")
    return ends
