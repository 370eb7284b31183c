"""The sender of a request."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Sender"]


@dataclass(frozen=True, slots=True)
class Sender:
    """The tenant that sent a request, the name of the source, and the time of arrival in UTC milliseconds."""

    tenant: str
    source: str
    received_at: int
