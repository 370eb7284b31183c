"""The bounds of requests, which endpoints hold, and of connections, which the HTTP protocol holds."""

from __future__ import annotations

from typing import Protocol

__all__ = ["ConnectionLimits", "RequestLimits"]


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
    def max_requests(self) -> int:
        """Most requests under way at once."""

    @property
    def body_seconds(self) -> float:
        """Longest time in which a body must have arrived."""


class ConnectionLimits(Protocol):
    """The bounds of connections; the gateway's settings provide them."""

    @property
    def max_body_bytes(self) -> int:
        """Largest body, before and after decompression."""

    @property
    def max_connections(self) -> int:
        """Most connections at once."""

    @property
    def head_seconds(self) -> float:
        """Longest time in which the head of a request must have arrived."""
