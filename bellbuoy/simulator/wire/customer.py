"""Deliver through the gateway, as a customer's systems do: Segment, Stripe, Zendesk and plain JSON."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import orjson
from stripe import WebhookSignature

from bellbuoy.settings import ConfigError
from bellbuoy.simulator.wire.carrier import Receipt
from bellbuoy.simulator.wire.client import Client
from bellbuoy.simulator.wire.segment import BAD_REASONS, call
from bellbuoy.simulator.wire.stripe import stripe_event
from bellbuoy.simulator.wire.zendesk import zendesk_event
from bellbuoy.simulator.world.delivery import Delivery, topic_of
from gateway.settings import GatewaySettings
from gateway.sources.signatures import ZENDESK
from schemas.records import BillingEvent, EngagementEvent, SupportEvent, SurveyResponse
from schemas.times import iso

__all__ = ["CustomerKeys", "GatewayCarrier"]

_BATCH = 250
_SENDER_FIELDS = ("tenant", "received_at")


@dataclass(frozen=True, slots=True)
class CustomerKeys:
    """What one tenant's systems sign and authenticate with."""

    tenant: str
    write_key: str
    stripe_secret: str
    zendesk_secret: str

    @classmethod
    def of(cls, settings: GatewaySettings, tenant: str) -> CustomerKeys:
        """Return a tenant's newest keys; raise ConfigError naming the setting that is missing."""
        known = settings.tenants.get(tenant)
        if known is None:
            names = ", ".join(settings.tenants) or "none"
            raise ConfigError(f"no tenant {tenant!r} in gateway.tenants (there are: {names})")
        keys = []
        for field in ("write_keys", "stripe_secrets", "zendesk_secrets"):
            secrets = getattr(known, field)
            if not secrets:
                raise ConfigError(
                    f"gateway.tenants.{tenant}.{field} is empty: the simulator signs with it, add one"
                )
            keys.append(secrets[0].get_secret_value())
        return cls(tenant, *keys)


class GatewayCarrier:
    """
    Posts deliveries to a gateway; ``deliver`` returns once each is acknowledged.

    Raises CarrierError when the gateway refuses something or is away for too long.
    """

    bad_reasons: Mapping[str, str] = BAD_REASONS

    def __init__(self, url: str, keys: CustomerKeys) -> None:
        self._client = Client(url)
        self._keys = keys
        self._basic = "Basic " + base64.b64encode(f"{keys.write_key}:".encode()).decode()

    async def probe(self) -> None:
        """Raise CarrierError when the gateway does not answer."""
        await self._client.probe()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Receipt:
        """Post all, several requests at once."""
        total = Receipt()
        for receipt in await asyncio.gather(*self._requests(deliveries)):
            total += receipt
        return total

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _requests(self, deliveries: Sequence[Delivery]) -> Iterator[asyncio.Task[Receipt]]:
        tracked, plain = [], dict[str, list[Delivery]]()
        for delivery in deliveries:
            event = delivery.event
            if isinstance(event, BillingEvent):
                yield self._post(f"/webhooks/stripe/{self._keys.tenant}", stripe_event(event), 1, "stripe")
            elif isinstance(event, SupportEvent):
                yield self._post(f"/webhooks/zendesk/{self._keys.tenant}", zendesk_event(event), 1, "zendesk")
            elif isinstance(event, SurveyResponse | EngagementEvent):
                plain.setdefault(topic_of(event), []).append(delivery)
            else:
                tracked.append(delivery)
        for part in _parts(tracked):
            yield self._post("/v1/batch", {"batch": [call(delivery) for delivery in part]}, len(part))
        for topic, some in plain.items():
            for part in _parts(some):
                yield self._post(f"/v1/events/{topic}", [_plain(delivery) for delivery in part], len(part))

    def _post(self, path: str, said: object, events: int, vendor: str = "") -> asyncio.Task[Receipt]:
        body = orjson.dumps(said)
        headers = partial(self._headers, vendor, body)
        return asyncio.get_running_loop().create_task(self._client.post(path, body, events, headers))

    def _headers(self, vendor: str, body: bytes) -> Mapping[str, str]:
        if vendor == "stripe":
            header = WebhookSignature.generate_signature_header(body.decode(), self._keys.stripe_secret)
            return {"Stripe-Signature": header}
        if vendor == "zendesk":
            now = iso(int(time.time() * 1000))
            signature = ZENDESK.sign(self._keys.zendesk_secret, now, body)
            return {ZENDESK.timestamp_header: now, ZENDESK.signature_header: signature}
        return {"Authorization": self._basic}


def _parts(deliveries: list[Delivery]) -> Iterator[list[Delivery]]:
    for first in range(0, len(deliveries), _BATCH):
        yield deliveries[first : first + _BATCH]


def _plain(delivery: Delivery) -> dict[str, object]:
    fields = msgspec.structs.asdict(delivery.event)
    return {name: value for name, value in fields.items() if name not in _SENDER_FIELDS}
