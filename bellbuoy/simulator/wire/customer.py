"""Carrier through the gateway: posts as a customer's systems do, Segment calls, webhooks and typed events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import orjson

from bellbuoy.errors import ConfigError
from bellbuoy.simulator.wire.carrier import Receipt
from bellbuoy.simulator.wire.client import Client
from bellbuoy.simulator.wire.segment import BAD_REASONS, call
from bellbuoy.simulator.wire.stripe import stripe_event
from bellbuoy.simulator.wire.zendesk import zendesk_event
from bellbuoy.simulator.world.delivery import Delivery, topic_of
from bellbuoy.times import now
from gateway.settings import GatewaySettings
from gateway.sources import stripe, zendesk
from gateway.sources.signatures import SignedRequest
from gateway.sources.source import WebhookSource
from schemas.records import BillingEvent, EngagementEvent, SupportEvent, SurveyResponse

__all__ = ["CustomerKeys", "GatewayCarrier"]

_BATCH = 250
_GATEWAY_FIELDS = ("tenant", "received_at")
"""Fields of a record that the gateway fills in, and which typed JSON leaves out."""

_WEBHOOKS: dict[type[msgspec.Struct], tuple[WebhookSource, Callable[[Any], dict[str, Any]]]] = {
    BillingEvent: (stripe.SOURCE, stripe_event),
    SupportEvent: (zendesk.SOURCE, zendesk_event),
}
"""By class of event: the vendor that sends it, and the function that makes the vendor's JSON."""


@dataclass(frozen=True, slots=True)
class CustomerKeys:
    """The keys and the webhook secrets, by name of the source, that one tenant's systems use."""

    tenant: str
    write_key: str
    server_key: str
    secrets: Mapping[str, str]

    @classmethod
    def of(cls, settings: GatewaySettings, tenant: str) -> CustomerKeys:
        """Return a tenant's first keys; raise ConfigError that names the setting that is missing."""
        if tenant not in settings.tenants:
            names = ", ".join(settings.tenants) or "none"
            raise ConfigError(f"no tenant {tenant!r} in gateway.tenants (there are: {names})")
        keys = settings.keys()
        write_key = _first(tenant, "write_keys", keys["track"][tenant])
        server_key = _first(tenant, "server_keys", keys["server"][tenant])
        secrets = {
            source.name: _first(tenant, source.secrets_key, settings.secrets(source)[tenant])
            for source, _ in _WEBHOOKS.values()
        }
        return cls(tenant, write_key, server_key, secrets)


class GatewayCarrier:
    """
    Posts deliveries to a gateway; ``deliver`` returns once each is acknowledged.

    Raises CarrierError when the gateway refuses a request or is away for too long.
    """

    bad_reasons: Mapping[str, str] = BAD_REASONS

    def __init__(self, url: str, keys: CustomerKeys) -> None:
        self._client = Client(url)
        self._tenant = keys.tenant
        self._write_key, self._server_key = _basic(keys.write_key), _basic(keys.server_key)
        self._signers = {
            source.name: partial(source.signature_scheme().sign, keys.secrets[source.name])
            for source, _ in _WEBHOOKS.values()
        }

    async def probe(self) -> None:
        """Raise CarrierError when the gateway does not answer."""
        await self._client.probe()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Receipt:
        """Post all deliveries, several requests at once."""
        total = Receipt()
        for receipt in await asyncio.gather(*self._requests(deliveries)):
            total += receipt
        return total

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _requests(self, deliveries: Sequence[Delivery]) -> Iterator[asyncio.Task[Receipt]]:
        tracked, typed = [], dict[str, list[Delivery]]()
        for delivery in deliveries:
            event = delivery.event
            if type(event) in _WEBHOOKS:
                source, to_json = _WEBHOOKS[type(event)]
                yield self._webhook(source, to_json(event))
            elif isinstance(event, SurveyResponse | EngagementEvent):
                typed.setdefault(topic_of(event), []).append(delivery)
            else:
                tracked.append(delivery)
        for batch in _batches(tracked):
            calls = {"batch": [call(delivery) for delivery in batch]}
            yield self._keyed("/v1/batch", calls, len(batch), self._write_key)
        for topic, events in typed.items():
            for batch in _batches(events):
                listed = [_typed(delivery) for delivery in batch]
                yield self._keyed(f"/v1/events/{topic}", listed, len(batch), self._server_key)

    def _webhook(self, source: WebhookSource, event: dict[str, Any]) -> asyncio.Task[Receipt]:
        path, sign = f"{source.path}/{self._tenant}", self._signers[source.name]
        request = SignedRequest(path, orjson.dumps(event))
        return self._post(path, request.body, 1, lambda: sign(request, now()))

    def _keyed(
        self, path: str, body: object, events: int, authorization: Mapping[str, str]
    ) -> asyncio.Task[Receipt]:
        return self._post(path, orjson.dumps(body), events, lambda: authorization)

    def _post(
        self, path: str, body: bytes, events: int, headers: Callable[[], Mapping[str, str]]
    ) -> asyncio.Task[Receipt]:
        return asyncio.get_running_loop().create_task(self._client.post(path, body, events, headers))


def _basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def _first(tenant: str, field: str, secrets: Sequence[str]) -> str:
    if not secrets:
        raise ConfigError(f"gateway.tenants.{tenant}.{field} is empty: the simulator sends with it, add one")
    return secrets[0]


def _batches(deliveries: list[Delivery]) -> Iterator[list[Delivery]]:
    for first in range(0, len(deliveries), _BATCH):
        yield deliveries[first : first + _BATCH]


def _typed(delivery: Delivery) -> dict[str, object]:
    fields = msgspec.structs.asdict(delivery.event)
    return {name: value for name, value in fields.items() if name not in _GATEWAY_FIELDS}
