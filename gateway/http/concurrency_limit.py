"""ASGI middleware that bounds how many requests are processed at once."""

from __future__ import annotations

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.errors import HttpError
from gateway.metrics import ACTIVE_REQUESTS

__all__ = ["ConcurrencyLimit"]

_BUSY = HttpError(503, "busy", "too many requests at once: try again", retry_after=1)


class ConcurrencyLimit:
    """
    Answers 503 with ``Retry-After`` while ``limit`` requests are under way; the body is not read.

    Health and metrics are never limited. The limit bounds memory (that many bodies) and, since all requests
    share one event loop, the time for which an accepted request waits for the others.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 503."""
        if scope["type"] != "http" or not scope["path"].startswith(("/v1/", "/webhooks/")):
            await self._app(scope, receive, send)
            return
        if self._active >= self._limit:
            answer = Response(orjson.dumps(_BUSY.body()), 503, _BUSY.headers(), "application/json")
            await answer(scope, receive, send)
            return
        self._active += 1
        ACTIVE_REQUESTS.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            self._active -= 1
            ACTIVE_REQUESTS.dec()
