"""The front door as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from gateway.http.auth import WriteKeys
from gateway.http.concurrency_limit import ConcurrencyLimit
from gateway.http.errors import HttpError
from gateway.http.metrics_middleware import RequestMetrics
from gateway.metrics import REGISTRY
from gateway.outbox.dispatch import Dispatch
from gateway.outbox.kafka import KafkaOutbox
from gateway.outbox.port import Outbox
from gateway.settings import GatewaySettings
from gateway.sources.segment.calls import CALLS
from gateway.sources.segment.endpoint import SegmentEndpoint
from gateway.sources.typed.endpoint import TypedEndpoint
from gateway.sources.webhook import Webhooks
from schemas.codec.registry import Registry
from schemas.readiness import Readiness
from schemas.topics import Topics

__all__ = ["assemble", "build_app"]

log = structlog.get_logger(__name__)

_BROWSERS = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["POST"],
    allow_headers=["authorization", "content-type", "content-encoding"],
    max_age=86_400,
)


def build_app(settings: GatewaySettings, bootstrap: str, topics: Topics, registry: Registry) -> Starlette:
    """
    Return the front door on the Kafka at ``bootstrap``.

    Its lifespan opens and closes the producer; Kafka may be away when it starts (``/readyz`` says so).
    """
    outbox = KafkaOutbox(
        bootstrap,
        topics,
        max_waiting=settings.max_waiting_events,
        timeout_seconds=settings.delivery_timeout_seconds,
    )
    return assemble(settings, outbox, topics, registry)


def assemble(
    settings: GatewaySettings,
    outbox: Outbox,
    topics: Topics,
    registry: Registry,
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Starlette:
    """Return the front door on any outbox; ``clock`` gives UTC milliseconds."""
    keys = WriteKeys(settings.tenants)
    dispatch = Dispatch(outbox, topics, registry)
    tracking = SegmentEndpoint(settings, keys, dispatch, clock)
    events = TypedEndpoint(settings, keys, dispatch, registry, clock)
    webhooks = Webhooks(settings, dispatch, clock)
    calls = [
        Route(path, tracking.single(kind), methods=["POST"])
        for kind in CALLS
        for path in (f"/{kind}", f"/{kind[0]}")
    ]
    batches = [Route(path, tracking.batch, methods=["POST"]) for path in ("/batch", "/b")]

    async def readyz(_request: Request) -> Response:
        missing = await outbox.ready()
        readiness = Readiness("gateway", {} if missing is None else {"kafka": missing})
        return Response(readiness.encode(), readiness.status, media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await outbox.open()
        try:
            yield
        finally:
            await outbox.close()

    return Starlette(
        routes=[
            Mount(
                "/v1",
                routes=[*batches, *calls, Route("/events/{topic}", events.post, methods=["POST"])],
                middleware=[_BROWSERS],
            ),
            Route("/webhooks/stripe/{tenant}", webhooks.stripe, methods=["POST"]),
            Route("/webhooks/zendesk/{tenant}", webhooks.zendesk, methods=["POST"]),
            Route("/livez", _livez),
            Route("/readyz", readyz),
            Route("/metrics", _metrics),
        ],
        middleware=[Middleware(RequestMetrics), Middleware(ConcurrencyLimit, most=settings.max_requests)],
        exception_handlers={
            HttpError: _refused,
            HTTPException: _no_route,
            ClientDisconnect: _gone,
            Exception: _unexpected,
        },
        lifespan=lifespan,
    )


async def _livez(_request: Request) -> Response:
    return _json({"live": True})


async def _metrics(_request: Request) -> Response:
    return Response(generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, HttpError)
    return _json(refusal.body(), refusal.status, refusal.headers())


async def _no_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return _json({"code": code, "message": error.detail}, error.status_code, dict(error.headers or {}))


async def _gone(_request: Request, _error: Exception) -> Response:
    return _json({"code": "disconnected", "message": "the client went away"}, 400)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed unexpectedly", path=request.url.path, exc_info=error)
    return _json({"code": "internal", "message": "this is our fault; the same events may be sent again"}, 500)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
