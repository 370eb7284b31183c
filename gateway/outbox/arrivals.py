"""Arrivals: what became of each event that the gateway took, for whoever watches a tenant now."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Arrivals"]

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
