"""The limit of the requests that are processed at once."""

from __future__ import annotations

from gateway.http.errors import HttpError
from gateway.metrics import ACTIVE_REQUESTS

__all__ = ["ConcurrencyLimit", "busy"]


def busy() -> HttpError:
    """Return the answer to a request that comes while too much is under way."""
    return HttpError(503, "busy", "too many requests at once: try again", retry_after=1)


class ConcurrencyLimit:
    """
    A limit of ``limit`` requests that are processed, or wait for Kafka, at once.

    All requests share one event loop, so the limit bounds the time for which an accepted request waits for
    the others. A request counts only once its whole body is here: a slow sender takes no one's place.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._active = 0

    def check(self) -> None:
        """Raise HttpError (503) while the limit is reached."""
        if self._active >= self._limit:
            raise busy()

    def enter(self) -> None:
        """Count a request as under way; raise HttpError (503) while the limit is reached."""
        self.check()
        self._active += 1
        ACTIVE_REQUESTS.inc()

    def leave(self) -> None:
        """Count a request as under way no longer."""
        self._active -= 1
        ACTIVE_REQUESTS.dec()
