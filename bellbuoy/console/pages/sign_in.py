"""Signing in, by a link or with a provider, and out."""

from __future__ import annotations

import asyncio
from getpass import getuser

from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router

from bellbuoy.console.access import audit
from bellbuoy.console.access.oidc import NotSignedInError, OidcClient
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import form_of, rights_of, session_of

__all__ = ["SignInPages"]

_PROVIDER_SECONDS = 900
"""How long somebody may take at the provider."""


class SignInPages:
    """The handlers of signing in and out."""

    def __init__(self, site: Site) -> None:
        self._site, oidc = site, site.settings.console.oidc
        self._provider = None if oidc is None else OidcClient(oidc, f"{site.url}/oidc/callback")

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/", self.home),
            Route("/sign-in", self.sign_in),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            *([] if self._provider is None else [self._provider_routes()]),
        ]

    def _provider_routes(self) -> Mount:
        """Return the way to the provider and back, which has a cookie of its own for what must not change."""
        router = Router([Route("/start", self.start), Route("/callback", self.callback)])
        secure = self._site.cookie.secure
        return Mount(
            "/oidc",
            SessionMiddleware(
                router,
                self._site.access.signing_key("oidc"),
                session_cookie="__Secure-bellbuoy_oidc" if secure else "bellbuoy_oidc",
                max_age=_PROVIDER_SECONDS,
                path="/oidc",
                same_site="lax",
                https_only=secure,
            ),
        )

    async def home(self, request: Request) -> Response:
        """Lead to the first page that somebody may see."""
        path = self._site.first_page(rights_of(request))
        if path is None:
            raise HTTPException(403)
        return RedirectResponse(path, 303)

    async def sign_in(self, request: Request) -> Response:
        """Sign in by a link, or say how."""
        site, console = self._site, self._site.settings.console
        link, target = request.query_params.get("link", ""), request.query_params.get("next", "/")
        if link and request.method == "GET":  # a HEAD, as of a preview, must not use it up
            person = console.person or getuser()
            cookie = await asyncio.to_thread(site.access.sign_in, link, person, _agent(request))
            if cookie is not None:
                audit.signed_in(person, "", site.tenants)
                return self._signed_in(cookie, target)
        html = site.render("sign_in.html", used=bool(link), oidc=self._provider is not None, next=target)
        return HTMLResponse(html, 401)

    async def start(self, request: Request) -> Response:
        """Lead to the provider."""
        assert self._provider is not None
        request.session["next"] = request.query_params.get("next", "/")[:2_000]
        try:
            return await self._provider.redirect(request)
        except NotSignedInError as error:
            return self._not_signed_in(error)

    async def callback(self, request: Request) -> Response:
        """Sign in whom the provider sent back."""
        assert self._provider is not None
        target = str(request.session.pop("next", "/"))
        try:
            person = await self._provider.person(request)
        except NotSignedInError as error:
            return self._not_signed_in(error)
        request.session.clear()
        site = self._site
        cookie = site.access.cookie(person.name, person.values, _agent(request))
        session = site.access.session(cookie)
        assert session is not None
        tenants = site.rights(session).tenants
        if not tenants:
            audit.refused(person.name, "no grant", "/oidc/callback")
            html = site.render("no_grant.html", person=person.name)
            return HTMLResponse(html, 403)
        audit.signed_in(person.name, person.subject, tenants)
        return self._signed_in(cookie, target)

    async def sign_out(self, request: Request) -> Response:
        """End this browser's session, and offer to end the provider's, where it can be."""
        access = self._site.access
        await form_of(request, access)
        await asyncio.to_thread(access.end, access.key_of(session_of(request)))
        audit.signed_out(session_of(request).person)
        elsewhere = None
        if self._provider is not None:
            elsewhere = await self._provider.sign_out_address(f"{self._site.url}/sign-in")
        answer = HTMLResponse(self._site.render("signed_out.html", elsewhere=elsewhere))
        self._site.cookie.remove(answer)
        return answer

    def _signed_in(self, cookie: str, target: str) -> Response:
        answer = RedirectResponse(target if _is_path(target) else "/", 303)
        self._site.cookie.put(answer, cookie)
        return answer

    def _not_signed_in(self, error: NotSignedInError) -> Response:
        html = self._site.render("sign_in.html", used=False, oidc=True, next="/", why=str(error))
        return HTMLResponse(html, 401)


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _is_path(target: str) -> bool:
    return target.startswith("/") and not target.startswith(("//", "/\\"))
