"""The bounds of one request that endpoints hold."""

from __future__ import annotations

from typing import Protocol

__all__ = ["RequestLimits"]


class RequestLimits(Protocol):
    """The bounds of one request; the gateway's settings provide them."""

    @property
    def max_body_bytes(self) -> int:
        """Largest body, before and after decompression."""

    @property
    def max_event_bytes(self) -> int:
        """Largest single event."""

    @property
    def max_batch_events(self) -> int:
        """Most events in a batch or list."""

    @property
    def body_seconds(self) -> float:
        """Longest time in which a body must have arrived."""
