"""Let a bounded number of requests in at once; turn the rest away before their bodies are read."""

from __future__ import annotations

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.errors import HttpError
from gateway.metrics import INSIDE

__all__ = ["ConcurrencyLimit"]

_BUSY = HttpError(503, "busy", "too many requests at once: try again", retry_after=1)


class ConcurrencyLimit:
    """
    Answer 503 with ``Retry-After`` while ``most`` requests are inside; health and metrics pass always.

    It bounds memory (``most`` bodies) and, since all share one loop, the time an accepted request
    waits for those before it.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] != "http" or not scope["path"].startswith(("/v1/", "/webhooks/")):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            answer = Response(orjson.dumps(_BUSY.body()), 503, _BUSY.headers(), "application/json")
            await answer(scope, receive, send)
            return
        self._inside += 1
        INSIDE.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            INSIDE.dec()
