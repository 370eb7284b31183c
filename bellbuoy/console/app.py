"""The console as an ASGI application: routes, middleware and what runs beside the requests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access import Access
from bellbuoy.console.live import LivePictures
from bellbuoy.console.metrics import PAGES
from bellbuoy.console.pages import Handler, Pages
from bellbuoy.console.request import Guard
from bellbuoy.settings import Settings
from schemas.readiness import Readiness
from sinks.serving import Reader

__all__ = ["build_app"]

log = structlog.get_logger(__name__)


def build_app(
    settings: Settings,
    tenants: tuple[str, ...],
    access: Access,
    open_reader: Callable[[], Reader],
    hosts: frozenset[str],
) -> Starlette:
    """Return the console of some tenants; ``hosts`` are the names that a request may call it by."""
    reader, pictures = open_reader(), LivePictures(open_reader)
    pages = Pages(settings, tenants, access, reader, pictures)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        pictures.start()
        try:
            yield
        finally:
            pictures.stop()
            reader.close()

    async def readyz(_request: Request) -> Response:
        readiness = Readiness("console", {} if pictures.away is None else {"sink": pictures.away})
        return Response(readiness.encode(), readiness.status, media_type="application/json")

    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/sign-in", pages.sign_in),
            Route("/sign-out", pages.sign_out, methods=["POST"]),
            Route("/book/{tenant}", _timed("book", pages.book)),
            Route("/live/book/{tenant}", pages.book_live),
            Route("/alerts/{tenant}", _timed("alerts", pages.alerts)),
            Route("/live/alerts/{tenant}", pages.alerts_live),
            Route("/alerts/{tenant}/{alert_id}", _timed("act", pages.act), methods=["POST"]),
            Route("/accounts/{tenant}/{account_id:path}", _timed("account", pages.account)),
            Route("/live/accounts/{tenant}/{account_id:path}", pages.account_live),
            Route("/then/{tenant}/{account_id:path}", _timed("then", pages.then)),
            Route("/why/{tenant}/{account_id:path}", _timed("why", pages.why)),
            Route(
                "/overrides/{tenant}/{account_id:path}", _timed("override", pages.override), methods=["POST"]
            ),
            Route("/segments/{tenant}", _timed("segments", pages.segments)),
            Route("/live/segments/{tenant}", pages.segments_live),
            Route("/team/{tenant}", _timed("team", pages.team)),
            Route("/live/team/{tenant}", pages.team_live),
            *(
                Route(f"/{name}/{{tenant}}", _timed(name, pages.report))
                for name in ("model", "producers", "pipeline")
            ),
            Route("/reports/{name}/{tenant}", _timed("report", pages.report_content)),
            Route("/assets/{name}", pages.assets.serve),
            Route("/livez", _livez),
            Route("/readyz", readyz),
            Route("/metrics", _metrics),
        ],
        middleware=[
            Middleware(Guard, access=access, hosts=hosts),
            Middleware(GZipMiddleware, minimum_size=800, compresslevel=5),
        ],
        exception_handlers={HTTPException: pages.error, 500: _failed},
        lifespan=lifespan,
    )
    app.state.stopping, app.state.pictures = pages.stopping, pictures
    return app


def _timed(route: str, handler: Handler) -> Handler:
    seconds = PAGES.labels(route=route)

    async def timed(request: Request) -> Response:
        began = time.perf_counter()
        try:
            return await handler(request)
        finally:
            seconds.observe(time.perf_counter() - began)

    return timed


async def _livez(_request: Request) -> Response:
    return Response(b'{"live":true}', media_type="application/json")


async def _metrics(_request: Request) -> Response:
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _failed(request: Request, error: Exception) -> Response:
    log.error("A request failed unexpectedly.", path=request.url.path, exc_info=error)
    return Response("This is our fault; the console's log has the error.", 500, media_type="text/plain")
