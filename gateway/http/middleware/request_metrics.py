"""ASGI middleware that counts every request by route and status, and times it; plain ASGI is the cheapest."""

from __future__ import annotations

import time
from collections.abc import Iterable

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import REQUEST_SECONDS, requests_answered

__all__ = ["RequestMetrics", "RouteLabels"]


class RouteLabels:
    """
    Table from a request's path to its metric label, made from the routes: the label is the route's name.

    A route with a parameter stands for every path that begins like it; a path without a route has the label
    ``other``. So there are never more labels than routes, whatever is requested.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        for route in routes:
            prefix, parameter, _ = route.path.partition("{")
            (self._prefixes if parameter else self._exact)[prefix] = route.name

    def label(self, path: str) -> str:
        """Return the label of a path."""
        if (exact := self._exact.get(path)) is not None:
            return exact
        return next((label for prefix, label in self._prefixes.items() if path.startswith(prefix)), "other")


class RequestMetrics:
    """Middleware that notes status and duration of every request."""

    def __init__(self, app: ASGIApp, labels: RouteLabels) -> None:
        self._app = app
        self._labels = labels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count it once it is answered."""
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
            label = self._labels.label(scope["path"])
            requests_answered(label, code).inc()
            if label.startswith(("/v1", "/webhooks")):
                REQUEST_SECONDS.observe(time.perf_counter() - started)
