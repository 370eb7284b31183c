"""Requests of the pages: who is signed in, the tenant, the token against forged requests, and the headers."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bellbuoy.console.access import Access, Session

__all__ = ["COOKIE", "Guard", "form_of", "is_loopback", "session_of"]

COOKIE = "bellbuoy_session"
"""The session's cookie."""

_OPEN = ("/sign-in", "/livez", "/readyz", "/metrics", "/assets/")
_MOST_FORM_BYTES = 100_000
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}


class Guard:
    """
    Middleware that lets nobody past who is not signed in, and nothing that another site sent.

    A request must name a host that the console has, lest another name lead to this address; one that changes
    something must carry the session's token. Every answer gets the headers that browsers are held by.
    """

    def __init__(self, app: ASGIApp, access: Access, hosts: frozenset[str]) -> None:
        self._app, self._access, self._hosts = app, access, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _HEADERS.items() if name not in present),
                    *([] if b"cache-control" in present else [(b"cache-control", b"no-store")]),
                ]
            await send(message)

        request = Request(scope, receive)
        session = self._access.session(request.cookies.get(COOKIE))
        scope["state"] = {**scope.get("state", {}), "session": session}
        refusal = self._refusal(request, session)
        await (self._app if refusal is None else refusal)(scope, receive, guarded)

    def _refusal(self, request: Request, session: Session | None) -> Response | None:
        if (urlsplit(f"//{request.headers.get('host', '')}").hostname or "") not in self._hosts:
            return PlainTextResponse("This address belongs to no console (console.url).", 421)
        changes = request.method not in ("GET", "HEAD")
        if changes and _is_of_another_site(request):
            return PlainTextResponse("Another site sent this.", 403)
        if session is not None or request.url.path.startswith(_OPEN):
            return None
        if changes or request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return PlainTextResponse("Sign in first.", 401)
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': target})}", 303)


def _is_of_another_site(request: Request) -> bool:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def session_of(request: Request) -> Session:
    """Return who is signed in."""
    session = request.scope["state"]["session"]
    assert isinstance(session, Session)
    return session


async def form_of(request: Request, access: Access) -> Mapping[str, str]:
    """Return the fields of a form; raise HTTPException for one too long or without the session's token."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            raise HTTPException(413, "the form is too long")
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50))
    if not access.is_token(session_of(request), fields.pop("token", "")):
        raise HTTPException(403, "this form is not of your session: load the page again")
    return fields


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
