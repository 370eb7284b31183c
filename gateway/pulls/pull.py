"""
The port of a source that is asked, not told: pages of what changed, each with the cursor after it.

The poller (``bellbuoy.polling``) commits the events of a page and its cursor in one transaction, so a
connection may be asked for a page again, and must then give the same events the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from gateway.sources.source import Source
from schemas.times import DAY

__all__ = [
    "HISTORY_MS",
    "KIND",
    "Cursor",
    "Item",
    "Page",
    "PullConnection",
    "PullError",
    "PullRefusedError",
    "PullSettings",
    "PullSource",
    "counted_at",
]

Cursor: TypeAlias = Mapping[str, Any]
"""Where a stream goes on, as JSON; empty before the first page."""

KIND = "kind"
"""The name under which the mapping, and a dead letter, are told the kind of an item."""

HISTORY_MS = 89 * DAY
"""How far back a first round reads events, and no event is older: the daily buckets reach 90 days back."""


class Item(NamedTuple):
    """One thing of a page: its kind, which says how it is mapped, and its JSON as the vendor sent it."""

    kind: str
    raw: bytes


class Page(NamedTuple):
    """A page of what changed, the cursor after it, and whether more is there already."""

    items: Sequence[Item]
    cursor: Cursor
    more: bool


class PullError(Exception):
    """
    The vendor gave no page; it is asked again, after ``retry_after`` seconds where it said so.

    Operator action: none, unless it goes on; then the message says what is wrong.
    """

    kind: ClassVar[str] = "away"
    """What the vendor did, for metrics."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PullRefusedError(PullError):
    """
    The vendor refuses the credentials, or a right that a stream needs.

    Operator action: correct the source's settings, or give its user the right, as the message says.
    """

    kind = "refused"


class PullConnection(Protocol):
    """A connection to a vendor for one tenant; used by one thread."""

    def page(self, stream: str, cursor: Cursor, now: int, /) -> Page:
        """Return what changed in a stream since a cursor; ``now`` is UTC milliseconds; raise PullError."""

    def close(self) -> None:
        """Free what the connection holds."""


class PullSettings(BaseModel):
    """Settings that every source that is asked has."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    every_seconds: float = Field(default=60.0, gt=0, description="Pause between two rounds.")
    timeout_seconds: float = Field(default=30.0, gt=0, le=120, description="Longest wait for an answer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSource(Source):
    """
    A vendor that is asked for what changed.

    ``settings`` are its own, as in ``gateway.pulls.settings.TenantPulls``; ``streams`` names what is read by
    them, each with a cursor of its own; ``connect`` opens a connection, without asking yet. ``topics`` says
    for which input topic an item of each kind is meant, which its dead letter names. ``to_record`` is told
    the kind under KIND.

    It stands in the module ``source`` of its package; the module ``settings`` loads neither connection nor
    mapping, as every command reads the settings. The package has a folder ``samples``, as a webhook source's
    has: the items of one page.
    """

    settings: type[PullSettings]
    streams: Callable[[Any], Sequence[str]]
    connect: Callable[[Any], PullConnection]
    topics: Mapping[str, str]


def counted_at(at: int, received_at: int) -> int:
    """
    Return the time of a fact that still holds, UTC milliseconds: not older than what can be counted.

    A company that nobody has changed for a year is no old news.
    """
    return max(at, received_at - HISTORY_MS)
