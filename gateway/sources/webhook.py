"""Webhooks: prove the sender on the raw bytes, map, and answer once the record is durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.body import read_body
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.metrics import IGNORED, REJECTED
from gateway.outbox.dispatch import Dispatch, RequestRecords, Sender
from gateway.settings import GatewaySettings, TenantSettings
from gateway.sources.signatures import ZENDESK, BadSignatureError, verify_stripe
from gateway.sources.stripe import events as stripe_events
from gateway.sources.zendesk import events as zendesk_events
from schemas.records import InputEvent

__all__ = ["Webhooks"]

log = structlog.get_logger(__name__)

_RECEIVED = b'{"received": true}'


class Webhooks:
    """
    The vendors' endpoints, one path a tenant; ``clock`` gives UTC milliseconds.

    401: not proven to be the vendor's. 400: proven, but no event of the kind this endpoint is for.
    200: durable, or nothing to keep. An event that is the vendor's but can't be used is kept as a dead
    letter and answered with 200, because offering it again would not mend it.
    """

    def __init__(self, settings: GatewaySettings, dispatch: Dispatch, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._dispatch = dispatch
        self._clock = clock

    async def stripe(self, request: Request) -> Response:
        """Take one Stripe event."""
        sender, secrets = self._open(request, "stripe", lambda tenant: tenant.stripe_secrets)
        body = await read_body(request, self._settings)
        try:
            verify_stripe(request.headers.get("stripe-signature"), body, secrets, sender.received_at)
        except BadSignatureError as error:
            raise _unproven(sender, error) from error

        def record() -> InputEvent | None:
            mapped = event.type in stripe_events.MAPPED
            return stripe_events.billing_event(event, sender) if mapped else None

        body = well_formed(body)
        try:
            event = stripe_events.decode_event(body)
        except Fault as fault:
            raise _foreign(sender, fault) from fault
        return await self._keep(sender, "billing.events", body, record)

    async def zendesk(self, request: Request) -> Response:
        """Take one Zendesk event."""
        sender, secrets = self._open(request, "zendesk", lambda tenant: tenant.zendesk_secrets)
        body = await read_body(request, self._settings)
        try:
            ZENDESK.verify(request.headers, body, secrets, sender.received_at)
        except BadSignatureError as error:
            raise _unproven(sender, error) from error
        body = well_formed(body)
        try:
            event = zendesk_events.decode_event(body)
        except Fault as fault:
            raise _foreign(sender, fault) from fault
        return await self._keep(
            sender, "support.events", body, lambda: zendesk_events.support_event(event, sender)
        )

    def _open(
        self, request: Request, source: str, secrets_of: Callable[[TenantSettings], Sequence[SecretStr]]
    ) -> tuple[Sender, list[str]]:
        name = request.path_params["tenant"]
        tenant = self._settings.tenants.get(name)
        secrets = [secret.get_secret_value() for secret in secrets_of(tenant)] if tenant else []
        if not secrets:
            REJECTED.labels(source, "unknown_tenant").inc()
            raise HttpError(
                404, "unknown_tenant", f"no tenant of that name has a {source} secret: see the settings"
            )
        return Sender(name, source, self._clock()), secrets

    async def _keep(
        self, sender: Sender, topic: str, body: bytes, record: Callable[[], InputEvent | None]
    ) -> Response:
        parcel = RequestRecords()
        try:
            event = record()
            if event is None:
                IGNORED.labels(sender.source).inc()
            else:
                self._dispatch.pack(parcel, topic, event)
        except Fault as fault:
            self._dispatch.set_aside(parcel, sender, topic, body, fault)
        await self._dispatch.send(parcel)
        return Response(_RECEIVED, media_type="application/json")


def _unproven(sender: Sender, error: BadSignatureError) -> HttpError:
    REJECTED.labels(sender.source, error.reason).inc()
    log.warning("webhook not proven", source=sender.source, tenant=sender.tenant, why=str(error))
    return HttpError(
        401, "bad_signature", f"{error}; see that the secret is this endpoint's and the clock is right"
    )


def _foreign(sender: Sender, fault: Fault) -> HttpError:
    REJECTED.labels(sender.source, "invalid").inc()
    log.warning("webhook not an event", source=sender.source, tenant=sender.tenant, why=fault.detail)
    return HttpError(400, "invalid", fault.detail, fault.pointer)
