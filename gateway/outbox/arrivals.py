"""Arrivals: what became of each event that reached the gateway, for whoever watches a tenant now."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.drift.names import name_of
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from schemas.records import InputEvent

__all__ = ["Arrivals", "accepted", "dead_lettered", "ignored", "refused"]

_KEPT = 1_000
"""Arrivals that wait for a slow watcher; older ones are left out."""


class Arrivals:
    """
    The watchers of each tenant, each with a queue of its own.

    Nothing is kept for a tenant that nobody watches, and a watcher that is too slow loses the oldest arrivals
    instead of holding up the gateway.
    """

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)

    def watched(self, tenant: str) -> bool:
        """Tell whether anyone watches a tenant."""
        return bool(self._watchers) and bool(self._watchers.get(tenant))

    @contextmanager
    def watch(self, tenant: str) -> Iterator[asyncio.Queue[dict[str, Any]]]:
        """Give a queue of a tenant's arrivals during a ``with`` block."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_KEPT)
        self._watchers[tenant].add(queue)
        try:
            yield queue
        finally:
            self._watchers[tenant].discard(queue)
            if not self._watchers[tenant]:
                del self._watchers[tenant]

    def tell(self, tenant: str, arrival: dict[str, Any]) -> None:
        """Tell a tenant's watchers of an arrival."""
        for queue in self._watchers.get(tenant, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(arrival)


def accepted(topic: str, event: InputEvent) -> dict[str, Any]:
    """Return what is told of an event that Kafka has."""
    return {
        "became": "accepted",
        "topic": topic,
        "source": event.source,
        "account_id": event.account_id,
        "event_id": event.event_id,
        "what": getattr(event, "kind", None) or getattr(event, "name", None),
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
    }


def dead_lettered(topic: str, sender: Sender, fault: Fault, letter: str) -> dict[str, Any]:
    """Return what is told of an event that became a dead letter."""
    return _told("dead letter", sender) | {
        "topic": topic,
        "reason": fault.reason,
        "message": fault.detail,
        "pointer": fault.pointer,
        "letter": letter,
    }


def ignored(sender: Sender, raw: bytes) -> dict[str, Any]:
    """Return what is told of an event that says nothing about health."""
    return _told("ignored", sender) | {"what": name_of(raw)}


def refused(sender: Sender, message: str, pointer: str = "", status: int = 400) -> dict[str, Any]:
    """Return what is told of an event, or a whole request, that was refused with an HTTP status."""
    return _told("refused", sender) | {"status": status, "message": message, "pointer": pointer}


def _told(became: str, sender: Sender) -> dict[str, Any]:
    return {"became": became, "source": sender.source, "received_at": sender.received_at}
