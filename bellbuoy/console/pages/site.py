"""The site of one console: what every page needs, the answers that pages are made of, who may have them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bellbuoy.console.access import audit
from bellbuoy.console.access.access import Access, Session
from bellbuoy.console.access.rights import Permission, Rights, of_claims, of_everything
from bellbuoy.console.account import cost_of
from bellbuoy.console.acts import ActsOnTheirWay
from bellbuoy.console.assets import Assets
from bellbuoy.console.book import BANDS, SORTS
from bellbuoy.console.inbox import VIEWS
from bellbuoy.console.live import LivePictures, Picture
from bellbuoy.console.metrics import PAGES
from bellbuoy.console.request import API, SessionCookie, rights_of, session_of
from bellbuoy.console.streams import View, live_response
from bellbuoy.console.trials import ModelTrials
from bellbuoy.console.words import FILTERS
from bellbuoy.operations.acts.alerts import FEEDBACK
from bellbuoy.query.alerts import SEVERITIES
from bellbuoy.settings import Settings
from bellbuoy.times import now as wall_clock
from sinks.serving import Reader

__all__ = ["Handler", "Site"]

_TEMPLATES = Path(__file__).parents[1] / "templates"

Handler = Callable[[Request], Awaitable[Response]]

PLACES: tuple[tuple[str, str, Permission], ...] = (
    ("book", "My book", "accounts"),
    ("alerts", "Alerts", "accounts"),
    ("segments", "Segments", "accounts"),
    ("team", "Team", "team"),
    ("model", "Model", "model"),
    ("producers", "Producers", "producers"),
    ("pipeline", "Pipeline", "pipeline"),
)
"""The pages of the bar at the top: address, name and the permission that each needs."""


class Site:
    """
    Settings, readers and templates of one console, shared by all its pages.

    ``tenants`` are those that it shows, ``url`` is its address for browsers, ``stopping`` ends the live
    streams.
    """

    def __init__(
        self,
        settings: Settings,
        tenants: tuple[str, ...],
        url: str,
        access: Access,
        reader: Reader,
        pictures: LivePictures,
    ) -> None:
        self.settings, self.tenants, self.url, self.access = settings, tenants, url, access
        self.cookie = SessionCookie(url.startswith("https:"))
        self.reader, self.pictures = reader, pictures
        self.acts = ActsOnTheirWay(settings)
        self.trials = ModelTrials(settings)
        self.stopping = asyncio.Event()
        self.assets = Assets()
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= FILTERS | {"cost": cost_of}
        self._environment.globals |= {
            "asset": self.assets.url,
            "bands": BANDS,
            "sorts": SORTS,
            "views": VIEWS,
            "severities": SEVERITIES,
            "feedback_words": FEEDBACK,
        }

    def rights(self, session: Session) -> Rights:
        """Return what a person may do."""
        oidc = self.settings.console.oidc
        if oidc is None:
            return of_everything(self.tenants)
        return of_claims(session.values, oidc.grants, self.tenants)

    def route(
        self, permission: Permission, path: str, handler: Handler, *methods: str, name: str = ""
    ) -> Route:
        """
        Return the route of a tenant's page, which only those get who have the permission for that tenant.

        A tenant of which somebody may see nothing answers as if it were none. Times are measured under
        ``name``.
        """
        seconds = PAGES.labels(route=name) if name else None

        async def allowed(request: Request) -> Response:
            tenant, rights = request.path_params["tenant"], rights_of(request)
            if tenant not in rights.tenants:
                raise HTTPException(404)
            if not rights.may(permission, tenant):
                audit.refused(session_of(request).person, f"lacks {permission}", request.url.path)
                raise HTTPException(403)
            began = time.perf_counter()
            try:
                return await handler(request)
            finally:
                if seconds is not None:
                    seconds.observe(time.perf_counter() - began)

        return Route(path, allowed, methods=list(methods) or None)

    def first_page(self, rights: Rights) -> str | None:
        """Return the first page that somebody may see, ``None`` where there is none."""
        for tenant in rights.tenants:
            for place, _, permission in PLACES:
                if rights.may(permission, tenant):
                    return f"/{place}/{quote(tenant, safe='')}"
        return None

    def now(self, picture: Picture | None) -> int:
        """Return the journal's time: this machine's clock, or the newest record's where time is simulated."""
        if self.settings.journal.clock == "wall" or picture is None:
            return wall_clock()
        return picture.journal_time

    def page(
        self, request: Request, template: str, picture: Picture | None, status: int = 200, **values: Any
    ) -> Response:
        """Return a whole page, with the bar at its top."""
        session = session_of(request)
        html = self.render_for(
            request,
            template,
            session=session,
            token=self.access.token(session),
            tenants=rights_of(request).tenants,
            places=PLACES,
            away=self.pictures.away,
            seen_at=self.pictures.seen_at,
            query=request.url.query,
            open_alerts=0 if picture is None else len(picture.alerts),
            **values,
        )
        return HTMLResponse(html, status)

    def render_for(self, request: Request, template: str, *, tenant: str, **values: Any) -> str:
        """Return a template's text for one who asks: ``may`` tells it what they are allowed."""
        rights = rights_of(request)

        def may(permission: Permission) -> bool:
            return rights.may(permission, tenant)

        return self.render(template, tenant=tenant, may=may, **values)

    def render(self, template: str, **values: Any) -> str:
        """Return a template's text with these values."""
        return self._environment.get_template(template).render(**values)

    def stream(self, request: Request, view: View) -> Response:
        """Return a live stream of a part of a page."""
        session = session_of(request)
        return live_response(self.pictures, view, self.stopping, lambda: self.access.is_open(session))

    def toast(self, said: str, about: str = "", status: int = 200, **values: Any) -> Response:
        """Return a short word on what became of an act; ``retry`` offers to send it again."""
        shown = {"ok": status < 400, "said": said, "about": about, "retry": None} | values
        return HTMLResponse(self.render("_toast.html", **shown), status)

    async def error(self, request: Request, error: Exception) -> Response:
        """Answer with an error in words."""
        assert isinstance(error, HTTPException)
        if request.url.path.startswith(API):
            return JSONResponse({"error": error.detail}, error.status_code, error.headers)
        if request.headers.get("hx-request") or request.method != "GET":
            return self.toast("This was not done", error.detail, error.status_code)
        return HTMLResponse(
            self.render("error.html", status=error.status_code, detail=error.detail), error.status_code
        )
