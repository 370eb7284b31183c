"""The gateway as an ASGI application: routes of every source, health, metrics and error answers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.links import ActionLinks
from gateway.actions.secrets import ActionSecrets
from gateway.field_policy import FieldPolicies
from gateway.http.body import BodyReader
from gateway.http.errors import HttpError
from gateway.http.middleware.cors import TrackingCors
from gateway.http.middleware.direct_routes import DirectRoutes
from gateway.http.middleware.paths import PlainPaths
from gateway.http.middleware.request_metrics import RequestMetrics, RouteLabels
from gateway.http.sender import Sender, sender_of
from gateway.http.streams import json_lines
from gateway.keys.api_keys import ApiKeys
from gateway.keys.follower import KeyFollower
from gateway.metrics import REGISTRY, start_series
from gateway.outbox.arrivals import refused as refusal
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.kafka import KafkaOutbox
from gateway.outbox.port import Outbox
from gateway.outbox.producer_reports import ProducerReports
from gateway.privacy import PrivacySettings
from gateway.pulls.registry import ALL_RESERVED
from gateway.settings import GatewaySettings
from gateway.sources.cloudevents.endpoint import CloudEventsEndpoint
from gateway.sources.posthog.endpoint import PosthogEndpoint
from gateway.sources.registry import REPAIRS, WEBHOOKS
from gateway.sources.segment.endpoint import SegmentEndpoint
from gateway.sources.typed.endpoint import TypedEndpoint
from gateway.sources.webhook import WebhookEndpoint
from processors.intake.admission import Admission
from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.readiness import Readiness
from schemas.topics import Topics

__all__ = ["assemble", "build_app"]

log = structlog.get_logger(__name__)


def _now() -> int:
    return time.time_ns() // 1_000_000


def build_app(
    settings: GatewaySettings,
    connection: Connection,
    topics: Topics,
    registry: Registry,
    admission: Admission | None = None,
    actions: ActionSecrets | None = None,
    fields: FieldPolicies | None = None,
) -> Starlette:
    """
    Return the gateway in front of the Kafka of this connection; the rest is as in ``assemble``.

    Its lifespan opens and closes the producer. Kafka may be away when it starts; ``/readyz`` says so.
    """
    outbox = KafkaOutbox(
        connection,
        topics,
        max_waiting=settings.max_waiting_events,
        timeout_seconds=settings.delivery_timeout_seconds,
    )
    keys = ApiKeys(settings.keys(), _now)
    keys.complete = False
    follower = KeyFollower(connection, topics, keys.replace)
    return assemble(
        settings,
        outbox,
        topics,
        registry,
        admission=admission,
        actions=actions,
        keys=keys,
        follower=follower,
        fields=fields,
    )


def _counters(settings: GatewaySettings) -> dict[str, dict[str, str]]:
    return {name: tenant.counted for name, tenant in settings.tenants.items() if tenant.counted}


def assemble(
    settings: GatewaySettings,
    outbox: Outbox,
    topics: Topics,
    registry: Registry,
    clock: Callable[[], int] = _now,
    admission: Admission | None = None,
    actions: ActionSecrets | None = None,
    keys: ApiKeys | None = None,
    follower: KeyFollower | None = None,
    fields: FieldPolicies | None = None,
) -> Starlette:
    """
    Return the gateway on any outbox; ``clock`` returns UTC milliseconds.

    ``keys`` are all keys, which the ``follower`` keeps up to date; without them, those of the settings.

    ``actions`` prove the actions on alerts that people take in messages; without them there are none.
    ``fields`` say what is kept of each source's fields; without them, the sources' defaults hold.

    A typed event whose time the journal would refuse by ``admission`` is refused at once; with ``None``, as
    where the journal's time is a simulation's, the journal alone judges.
    """

    async def readyz(_request: Request) -> Response:
        missing = await outbox.ready()
        readiness = Readiness("gateway", {} if missing is None else {"kafka": missing})
        return Response(readiness.encode(), readiness.status, media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await outbox.open()
        if follower is not None:
            follower.start()
        reporting = asyncio.create_task(reports.run())
        try:
            yield
        finally:
            reporting.cancel()
            await asyncio.wait([reporting])
            if follower is not None:
                await asyncio.to_thread(follower.stop)
            await outbox.close()

    known = ApiKeys(settings.keys(), clock) if keys is None else keys
    dispatcher = Dispatcher(
        outbox, topics, registry, _counters(settings), fields or PrivacySettings().policies()
    )
    reports = ProducerReports(
        outbox, topics, dispatcher.drift, f"{socket.gethostname()}:{settings.port}", clock
    )

    async def arrivals(request: Request) -> Response:
        grant = known.server_grant(request.headers.get("authorization"))
        return json_lines(dispatcher.arrivals.watch(grant.tenant))

    async def drift(request: Request) -> Response:
        grant = known.server_grant(request.headers.get("authorization"))
        return _json(dispatcher.drift.report(grant.tenant))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpError)
        _tell_of_refusal(dispatcher, request, error, clock())
        return _json(error.body(), error.status, error.headers())

    routes = [
        *_source_routes(settings, known, dispatcher, registry, clock, admission),
        *_action_routes(settings, dispatcher, clock, actions or ActionSecrets()),
        *_contract_routes(registry),
        Route("/v1/arrivals", arrivals, methods=["GET"], name="/v1/arrivals"),
        Route("/v1/drift", drift, methods=["GET"], name="/v1/drift"),
        Route("/livez", _livez, name="/livez"),
        Route("/readyz", readyz, name="/readyz"),
        *([Route("/metrics", _metrics, name="/metrics")] if settings.metrics_port is None else []),
    ]
    start_series(REPAIRS, [source.name for source in WEBHOOKS])
    handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
        HttpError: refused,
        HTTPException: _no_route,
        ClientDisconnect: _disconnected,
    }
    app = Starlette(
        routes=routes,
        # From the outside in. Starlette answers failures outside of every middleware, where a browser may not
        # read the answer and nothing counts it; so they are answered inside of these.
        middleware=[
            Middleware(PlainPaths),
            Middleware(RequestMetrics, labels=RouteLabels(routes)),
            Middleware(TrackingCors),
            Middleware(ServerErrorMiddleware, handler=_failed),
            Middleware(DirectRoutes, routes=routes, handlers=handlers),
        ],
        exception_handlers=handlers,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.arrivals = dispatcher.arrivals
    return app


def _source_routes(
    settings: GatewaySettings,
    keys: ApiKeys,
    dispatcher: Dispatcher,
    registry: Registry,
    clock: Callable[[], int],
    admission: Admission | None,
) -> list[Route]:
    """Return the routes of every source: those for keys, and the webhooks."""
    bodies = BodyReader(settings)
    tracking = SegmentEndpoint(settings, keys, bodies, dispatcher, clock, settings.public_url)
    posthog = PosthogEndpoint(settings, keys, bodies, dispatcher, clock)
    cloud = CloudEventsEndpoint(settings, keys, bodies, dispatcher, clock, ALL_RESERVED)
    typed = TypedEndpoint(settings, keys, bodies, dispatcher, registry, clock, ALL_RESERVED, admission)
    webhooks = [
        WebhookEndpoint(
            source,
            settings.secrets(source),
            settings.test_secrets(source),
            bodies,
            dispatcher,
            clock,
            settings.public_url,
            settings.keeping_raw(),
        )
        for source in WEBHOOKS
    ]
    keyed = [*tracking.routes(), *posthog.routes(), *cloud.routes(), *typed.routes()]
    return [*keyed, *(route for hook in webhooks for route in hook.routes())]


def _action_routes(
    settings: GatewaySettings, dispatcher: Dispatcher, clock: Callable[[], int], secrets: ActionSecrets
) -> list[Route]:
    """Return the routes of actions on alerts: links of mails, and Slack's buttons where there is an app."""
    bodies = BodyReader(settings)
    routes = ActionLinks(secrets, bodies, dispatcher, clock).routes()
    if secrets.slack:
        from gateway.actions.slack import SlackActions  # noqa: PLC0415 - needs the extra

        routes += SlackActions(secrets, bodies, dispatcher, clock).routes()
    return routes


def _contract_routes(registry: Registry) -> list[Route]:
    """Return the routes of the documents that say what is accepted; each is made when it is first asked."""

    @cache
    def document(name: str) -> bytes:
        from gateway.contracts import contracts, openapi  # noqa: PLC0415 - the schemas take long to make

        return orjson.dumps(contracts(registry) if name == "contracts" else openapi(registry))

    async def answer(request: Request) -> Response:
        name = request.url.path.rsplit("/", 1)[1]
        headers = {"Cache-Control": "max-age=300"}
        return Response(document(name), headers=headers, media_type="application/json")

    paths = ("/v1/contracts", "/v1/openapi.json")
    return [Route(path, answer, methods=["GET"], name=path) for path in paths]


async def _livez(_request: Request) -> Response:
    return _json({"live": True})


async def _metrics(_request: Request) -> Response:
    return Response(generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _tell_of_refusal(dispatcher: Dispatcher, request: Request, error: HttpError, now: int) -> None:
    """Tell the tenant that a request of its sender is refused, where it is known whose it is."""
    sender = sender_of(request)
    if sender is None and error.tenant is not None:
        sender = Sender(error.tenant, "", now)
    if sender is not None and dispatcher.arrivals.watched(sender.tenant):
        told = refusal(sender, error.message, error.pointer or "", error.status)
        dispatcher.arrivals.tell(sender.tenant, told)


async def _no_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return _json({"code": code, "message": error.detail}, error.status_code, dict(error.headers or {}))


async def _disconnected(_request: Request, _error: Exception) -> Response:
    return _json({"code": "disconnected", "message": "the client went away"}, 400)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("A request failed unexpectedly.", path=request.url.path, exc_info=error)
    return _json({"code": "internal", "message": "this is our fault; the same events may be sent again"}, 500)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
