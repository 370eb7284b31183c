"""Signing in by a link, and out."""

from __future__ import annotations

import asyncio
from getpass import getuser

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bellbuoy.console.access import SESSION_SECONDS
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import COOKIE, form_of

__all__ = ["SignInPages"]


class SignInPages:
    """The handlers of signing in and out."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.home),
            Route("/sign-in", self.sign_in),
            Route("/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def home(self, _request: Request) -> Response:
        """Lead to the book of the first tenant."""
        return RedirectResponse(f"/book/{self._site.tenants[0]}", 303)

    async def sign_in(self, request: Request) -> Response:
        """Sign in by a link, or say how."""
        site, console = self._site, self._site.settings.console
        link, target = request.query_params.get("link", ""), request.query_params.get("next", "/")
        if link and request.method == "GET":  # a HEAD, as of a preview, must not use it up
            cookie = await asyncio.to_thread(site.access.sign_in, link, console.person or getuser())
            if cookie is not None:
                answer = RedirectResponse(target if _is_path(target) else "/", 303)
                answer.set_cookie(
                    COOKIE,
                    cookie,
                    max_age=SESSION_SECONDS,
                    httponly=True,
                    samesite="lax",
                    secure=(console.url or "").startswith("https:"),
                )
                return answer
        return HTMLResponse(site.render("sign_in.html", used=bool(link)), 401)

    async def sign_out(self, request: Request) -> Response:
        """Forget the session in this browser."""
        await form_of(request, self._site.access)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE)
        return answer


def _is_path(target: str) -> bool:
    return target.startswith("/") and not target.startswith(("//", "/\\"))
