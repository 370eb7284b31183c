"""ASGI middleware for calls from web pages of other origins (CORS), which the tracking routes allow."""

from __future__ import annotations

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["TrackingCors"]

_BROWSERS = ("/v1/", "/batch", "/capture", "/e", "/i/v0/", "/flags", "/decide", "/array/")
"""Beginnings of the paths that SDKs in browsers call: Segment's and PostHog's."""

_SERVERS = ("/v1/events", "/v1/cloudevents", "/v1/contracts", "/v1/arrivals", "/v1/drift")
"""Beginnings of the paths below them that need a server key."""


class TrackingCors:
    """
    Lets pages of any origin call the tracking routes, with any header, and read every answer of theirs.

    Retries of Segment's and RudderStack's SDKs carry headers of their own. Typed events and webhooks are for
    servers, so a browser gets no permission there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._cors = _Cors(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["Retry-After"],
            max_age=86_400,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass the request on; no cache keeps the answer to a POST from elsewhere."""
        if scope["type"] == "http" and _from_browsers(scope):
            await self._cors(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _from_browsers(scope: Scope) -> bool:
    """Tell whether a request is one that browsers make, or whose answer a cache may keep for one."""
    path = scope["path"]
    if not path.startswith(_BROWSERS) or path.startswith(_SERVERS):
        return False
    return scope["method"] != "POST" or any(name == b"origin" for name, _ in scope["headers"])


class _Cors(CORSMiddleware):
    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        method = request_headers["access-control-request-method"]
        body = {
            "code": "method_not_allowed",
            "message": f"{method} is not allowed: use POST, or GET for settings",
        }
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return Response(orjson.dumps(body), 405, headers, media_type="application/json")
