"""ASGI middleware that calls the endpoints of plain routes without a search among all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["DirectRoutes"]


class DirectRoutes:
    """
    Calls the endpoint of a route by its path and method, where the path has no parameter.

    ``handlers`` answer the exceptions of each type, as Starlette's router behind this would, which takes all
    other requests. For one call a request that router and its layers are a tenth of the work.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[Route],
        handlers: Mapping[type[Exception], Callable[[Request, Any], Awaitable[Response]]],
    ) -> None:
        self._app = app
        self._handlers = handlers
        self._handled = tuple(handlers)
        self._endpoints: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {}
        for route in routes:
            if not route.param_convertors:
                for method in route.methods or ():
                    self._endpoints.setdefault((method, route.path), route.endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of a plain route, or pass it on."""
        endpoint = self._endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            answer = await endpoint(request)
        except self._handled as error:
            handler = next(self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers)
            answer = await handler(request, error)
        await answer(scope, receive, send)
