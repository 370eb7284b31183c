"""Count and time every request, by route and answer; plain ASGI, so that it costs next to nothing."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import REQUESTS, SECONDS

__all__ = ["RequestMetrics"]

_FAMILIES = ("/v1/events", "/webhooks/stripe", "/webhooks/zendesk")
_SINGLE = frozenset(("/livez", "/readyz", "/metrics"))
_LETTERS = {
    "t": "track",
    "i": "identify",
    "g": "group",
    "p": "page",
    "s": "screen",
    "a": "alias",
    "b": "batch",
}
_CALLS = frozenset(_LETTERS.values())


class RequestMetrics:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; note what was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        code = 500

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = route_of(scope["path"])
            REQUESTS.labels(route, str(code)).inc()
            if route.startswith(("/v1", "/webhooks")):
                SECONDS.observe(time.perf_counter() - started)


def route_of(path: str) -> str:
    """Return the route of a path, from a closed set: whatever is asked, the labels stay few."""
    if path in _SINGLE:
        return path
    for family in _FAMILIES:
        if path.startswith(f"{family}/"):
            return family
    call = path.removeprefix("/v1/")
    call = _LETTERS.get(call, call)
    return f"/v1/{call}" if call in _CALLS and path.startswith("/v1/") else "other"
