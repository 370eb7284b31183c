"""Requests: who is signed in, what they may do, the token against forged requests, and the headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bellbuoy.console.access.access import SESSION_SECONDS, Access, Session
from bellbuoy.console.access.rights import Rights
from bellbuoy.console.access.tokens import Tokens

__all__ = ["API", "Guard", "SessionCookie", "body_of", "form_of", "rights_of", "session_of"]

API = "/api/"
"""How the addresses of the JSON API begin, which takes tokens and no sessions."""

_HEALTH = ("/livez", "/readyz", "/metrics")
_OPEN = ("/sign-in", "/oidc/", "/assets/", *_HEALTH)
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
_SECURE_HEADERS = {b"strict-transport-security": b"max-age=31536000"}


class SessionCookie(NamedTuple):
    """The cookie of a session; ``secure`` where browsers reach the console by https."""

    secure: bool

    @property
    def name(self) -> str:
        """The cookie's name; by https browsers hold it to this one host."""
        return "__Host-bellbuoy_session" if self.secure else "bellbuoy_session"

    def put(self, answer: Response, value: str) -> None:
        """Give the browser a session."""
        answer.set_cookie(
            self.name, value, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=self.secure
        )

    def remove(self, answer: Response) -> None:
        """Take the session from the browser."""
        answer.delete_cookie(self.name, httponly=True, samesite="lax", secure=self.secure)


class Guard:
    """
    Middleware that lets nobody past who is not signed in, and nothing that another site sent.

    A request must name a host that the console has, lest another name lead to this address; one that changes
    something must carry the session's token. The JSON API takes a token in a header instead, which no
    browser sends by itself. Every answer gets the headers that browsers are held by.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        rights: Callable[[Session], Rights],
        tokens: Tokens,
        cookie: SessionCookie,
        hosts: frozenset[str],
    ) -> None:
        self._app, self._access, self._rights = app, access, rights
        self._tokens, self._cookie, self._hosts = tokens, cookie, hosts
        self._headers = _HEADERS | (_SECURE_HEADERS if cookie.secure else {})

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
                    *((name, value) for name, value in self._headers.items() if name not in present),
                    *([] if b"cache-control" in present else [(b"cache-control", b"no-store")]),
                ]
            await send(message)

        request = Request(scope, receive)
        caller = self._caller(request)
        session, rights = caller or (None, Rights({}))
        scope["state"] = {**scope.get("state", {}), "session": session, "rights": rights}
        refusal = self._refusal(request, session)
        await (self._app if refusal is None else refusal)(scope, receive, guarded)

    def _caller(self, request: Request) -> tuple[Session, Rights] | None:
        if request.url.path.startswith(API):
            return self._tokens.caller(request.headers.get("authorization"))
        session = self._access.session(request.cookies.get(self._cookie.name))
        return None if session is None else (session, self._rights(session))

    def _refusal(self, request: Request, session: Session | None) -> Response | None:
        if request.url.path in _HEALTH:
            return None
        if (urlsplit(f"//{request.headers.get('host', '')}").hostname or "") not in self._hosts:
            return PlainTextResponse("This address belongs to no console (console.url).", 421)
        changes = request.method not in ("GET", "HEAD")
        if changes and _is_of_another_site(request):
            return PlainTextResponse("Another site sent this.", 403)
        if session is not None or request.url.path.startswith(_OPEN):
            return None
        if request.url.path.startswith(API):
            error = {"error": "no token, or none that is known: send one as Authorization: Bearer TOKEN"}
            return JSONResponse(error, 401, {"WWW-Authenticate": "Bearer"})
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


def rights_of(request: Request) -> Rights:
    """Return what the one who asks may do."""
    rights = request.scope["state"]["rights"]
    assert isinstance(rights, Rights)
    return rights


async def body_of(request: Request, most: int) -> bytes:
    """Return a request's body; raise HTTPException for one with more bytes than ``most``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"the body has more than {most:,} bytes")
    return bytes(body)


async def form_of(request: Request, access: Access) -> Mapping[str, str]:
    """Return the fields of a form; raise HTTPException for one too long or without the session's token."""
    body = await body_of(request, _MOST_FORM_BYTES)
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50))
    if not access.is_token(session_of(request), fields.pop("token", "")):
        raise HTTPException(403, "this form is not of your session: load the page again")
    return fields
