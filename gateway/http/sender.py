"""The sender of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the settings load the sources, and these name the sender
    from starlette.requests import Request

__all__ = ["Sender", "sender_of", "told_of"]

_SENDER = "bellbuoy.sender"


@dataclass(frozen=True, slots=True)
class Sender:
    """
    The tenant that sent a request, the name of the source, and the time of arrival in UTC milliseconds.

    ``key`` is the name of the key that it was sent with, where that has one of its own.
    """

    tenant: str
    source: str
    received_at: int
    key: str = ""


def told_of(request: Request, sender: Sender) -> Sender:
    """Note who sent a request, so that its tenant is told when it is refused; return the sender."""
    request.scope[_SENDER] = sender
    return sender


def sender_of(request: Request) -> Sender | None:
    """Return who sent a request, or ``None`` where that isn't known."""
    sender = request.scope.get(_SENDER)
    return sender if isinstance(sender, Sender) else None
