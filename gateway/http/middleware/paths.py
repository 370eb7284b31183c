"""ASGI middleware that takes each route with and without slashes around its parts."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["PlainPaths"]


class PlainPaths:
    """
    Removes slashes at the end of a path and double ones within it, as in ``//v1/batch/``.

    A redirect to the plain path would lose events: senders of webhooks follow none, and many clients turn
    a redirected POST into a GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the plain path."""
        if scope["type"] == "http" and ("//" in scope["path"] or scope["path"].endswith("/")):
            plain = "/" + "/".join(part for part in scope["path"].split("/") if part)
            scope = {**scope, "path": plain}
        await self._app(scope, receive, send)
