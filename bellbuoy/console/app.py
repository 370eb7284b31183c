"""The console as an ASGI application: routes, middleware and what runs beside the requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bellbuoy.console.access.access import Access
from bellbuoy.console.access.tokens import Tokens
from bellbuoy.console.api.routes import ApiRoutes
from bellbuoy.console.live import LivePictures
from bellbuoy.console.pages.account import AccountPages
from bellbuoy.console.pages.account_acts import AccountActPages
from bellbuoy.console.pages.acts import ActPages
from bellbuoy.console.pages.models import ModelPages
from bellbuoy.console.pages.overviews import OverviewPages
from bellbuoy.console.pages.producers import ProducerPages
from bellbuoy.console.pages.reports import ReportPages
from bellbuoy.console.pages.sessions import SessionPages
from bellbuoy.console.pages.sign_in import SignInPages
from bellbuoy.console.pages.site import Site
from bellbuoy.console.request import Guard
from bellbuoy.settings import Settings
from schemas.readiness import Readiness
from sinks.serving import Reader

__all__ = ["build_app"]

log = structlog.get_logger(__name__)

_PARTS = (
    ApiRoutes,
    SignInPages,
    SessionPages,
    OverviewPages,
    ActPages,
    AccountActPages,
    AccountPages,
    ReportPages,
    ProducerPages,
    ModelPages,
)


def build_app(
    settings: Settings,
    tenants: tuple[str, ...],
    url: str,
    open_reader: Callable[[], Reader],
) -> Starlette:
    """Return the console of some tenants; ``url`` is its address for browsers."""
    reader, pictures = open_reader(), LivePictures(open_reader)
    oidc = settings.console.oidc
    access = Access(settings.data, "" if oidc is None else oidc.issuer)
    site = Site(settings, tenants, url, access, reader, pictures)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        pictures.start()
        try:
            yield
        finally:
            site.trials.stop()
            pictures.stop()
            reader.close()

    async def readyz(_request: Request) -> Response:
        readiness = Readiness("console", {} if pictures.away is None else {"sink": pictures.away})
        return Response(readiness.encode(), readiness.status, media_type="application/json")

    app = Starlette(
        routes=[
            *(route for part in _PARTS for route in part(site).routes()),
            Route("/assets/{name}", site.assets.serve),
            Route("/livez", _livez),
            Route("/readyz", readyz),
            Route("/metrics", _metrics),
        ],
        middleware=[
            Middleware(
                Guard,
                access=access,
                rights=site.rights,
                tokens=Tokens(settings.console.tokens, tenants),
                cookie=site.cookie,
                hosts=_hosts(url),
            ),
            Middleware(GZipMiddleware, minimum_size=800, compresslevel=5),
        ],
        exception_handlers={HTTPException: site.error, 500: _failed},
        lifespan=lifespan,
    )
    app.state.stopping, app.state.pictures = site.stopping, pictures
    return app


def _hosts(url: str) -> frozenset[str]:
    """Return the names that a request may call the console by."""
    return frozenset(("127.0.0.1", "localhost", "::1", urlsplit(url).hostname or ""))


async def _livez(_request: Request) -> Response:
    return Response(b'{"live":true}', media_type="application/json")


async def _metrics(_request: Request) -> Response:
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _failed(request: Request, error: Exception) -> Response:
    log.error("A request failed unexpectedly.", path=request.url.path, exc_info=error)
    return Response("This is our fault; the console's log has the error.", 500, media_type="text/plain")
