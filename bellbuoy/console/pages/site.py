"""The site of one console: what every page needs, and the answers that all pages are made of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bellbuoy.console.access import Access
from bellbuoy.console.account import cost_of
from bellbuoy.console.acts import ActsOnTheirWay
from bellbuoy.console.assets import Assets
from bellbuoy.console.book import BANDS, SORTS
from bellbuoy.console.inbox import VIEWS
from bellbuoy.console.live import LivePictures, Picture
from bellbuoy.console.metrics import PAGES
from bellbuoy.console.request import session_of
from bellbuoy.console.words import FILTERS
from bellbuoy.operations.alert_actions import FEEDBACK
from bellbuoy.query.alerts import SEVERITIES
from bellbuoy.settings import Settings
from bellbuoy.times import now as wall_clock
from sinks.serving import Reader

__all__ = ["Handler", "Site", "timed_route"]

_TEMPLATES = Path(__file__).parents[1] / "templates"

Handler = Callable[[Request], Awaitable[Response]]


class Site:
    """
    Settings, readers and templates of one console, shared by all its pages.

    ``tenants`` are those that it shows, ``stopping`` ends the live streams.
    """

    def __init__(
        self,
        settings: Settings,
        tenants: tuple[str, ...],
        access: Access,
        reader: Reader,
        pictures: LivePictures,
    ) -> None:
        self.settings, self.tenants, self.access = settings, tenants, access
        self.reader, self.pictures = reader, pictures
        self.acts = ActsOnTheirWay(settings)
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

    def tenant(self, request: Request) -> str:
        """Return the tenant in a request's path; raise HTTPException for one that is not shown."""
        tenant: str = request.path_params["tenant"]
        if tenant not in self.tenants:
            raise HTTPException(404)
        return tenant

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
        html = self.render(
            template,
            session=session,
            token=self.access.token(session),
            tenants=self.tenants,
            away=self.pictures.away,
            query=request.url.query,
            open_alerts=0 if picture is None else len(picture.alerts),
            **values,
        )
        return HTMLResponse(html, status)

    def render(self, template: str, **values: Any) -> str:
        """Return a template's text with these values."""
        return self._environment.get_template(template).render(**values)

    def toast(self, said: str, about: str = "", status: int = 200, **values: Any) -> Response:
        """Return a short word on what became of an act; ``retry`` offers to send it again."""
        shown = {"ok": status < 400, "said": said, "about": about, "retry": None} | values
        return HTMLResponse(self.render("_toast.html", **shown), status)

    async def error(self, request: Request, error: Exception) -> Response:
        """Answer with an error in words."""
        assert isinstance(error, HTTPException)
        if request.headers.get("hx-request") or request.method != "GET":
            return self.toast("This was not done", error.detail, error.status_code)
        return HTMLResponse(
            self.render("error.html", status=error.status_code, detail=error.detail), error.status_code
        )


def timed_route(path: str, name: str, handler: Handler, *methods: str) -> Route:
    """Return a route whose times are measured under a name."""
    seconds = PAGES.labels(route=name)

    async def timed(request: Request) -> Response:
        began = time.perf_counter()
        try:
            return await handler(request)
        finally:
            seconds.observe(time.perf_counter() - began)

    return Route(path, timed, methods=list(methods) or None)
