"""The gateway maps what the simulator sends to the events from which the simulator made it."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import msgspec
import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.simulator.wire.customer import CustomerKeys
from bellbuoy.simulator.wire.segment import BAD_REASONS, call
from bellbuoy.simulator.wire.stripe import stripe_event
from bellbuoy.simulator.wire.zendesk import zendesk_event
from bellbuoy.simulator.world.company import SimulatedCompany
from bellbuoy.simulator.world.delivery import Delivery
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.worlds.played import PlayedWorld
from bellbuoy.simulator.worlds.world import load_world
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.settings import GatewaySettings, TenantSettings
from gateway.sources import stripe, zendesk
from gateway.sources.segment.records import to_record
from schemas.records import AccountProfile, BillingEvent, SupportEvent, UsageEvent
from schemas.times import DAY

START = 20_000 * DAY
RECEIVED = START + 400 * DAY


@pytest.fixture(scope="module")
def deliveries() -> list[Delivery]:
    company = SimulatedCompany(11, 60, START, Disorder(bad=0.05))
    world = PlayedWorld(load_world("saas", seed=4, accounts=400, days=90, start=START))
    return [
        *takewhile(lambda d: d.at < START + 60 * DAY, company.deliveries()),
        *(d for d in world.deliveries() if isinstance(d.event, BillingEvent | SupportEvent)),
    ]


SNAPSHOT = ("status", "cancel_scheduled", "snapshot", "version", "previous_version")
"""What a vendor says beside what has happened."""


def news(event: Any) -> Any:
    """Return an event without what it says of the whole object."""
    defaults = type(event)(
        event_id="", tenant="", account_id="", source="", occurred_at=0, received_at=0, kind="",
        **({"ticket_id": ""} if isinstance(event, SupportEvent) else {}),
    )  # fmt: skip
    unsaid = {name: getattr(defaults, name) for name in SNAPSHOT if hasattr(defaults, name)}
    return msgspec.structs.replace(event, **unsaid)


def received(event: Any, source: str) -> Any:
    return msgspec.structs.replace(event, tenant="demo", source=source, received_at=RECEIVED)


def test_stripe_events_come_back_as_the_billing_events_they_were(deliveries: list[Delivery]) -> None:
    sender = Sender("demo", "stripe", RECEIVED)
    kinds = set()
    for delivery in deliveries:
        if isinstance(delivery.event, BillingEvent):
            body = msgspec.json.encode(stripe_event(delivery.event))
            record = stripe.SOURCE.to_record(body, sender, {})
            assert news(record) == received(delivery.event, "stripe")
            assert record.snapshot == (delivery.event.invoice_id is None)
            kinds.add(delivery.event.kind)

    assert kinds >= {
        "subscription_started",
        "subscription_updated",
        "cancel_scheduled",
        "cancel_withdrawn",
        "subscription_canceled",
        "invoice_issued",
        "payment_failed",
        "invoice_paid",
    }


def test_zendesk_events_come_back_as_the_support_events_they_were(deliveries: list[Delivery]) -> None:
    sender = Sender("demo", "zendesk", RECEIVED)
    kinds = set()
    for delivery in deliveries:
        if isinstance(delivery.event, SupportEvent):
            body = msgspec.json.encode(zendesk_event(delivery.event))
            record = zendesk.SOURCE.to_record(body, sender, {})
            assert news(record) == received(delivery.event, "zendesk")
            assert record.snapshot
            kinds.add(delivery.event.kind)

    assert kinds == {"opened", "answered", "replied", "escalated", "solved", "reopened", "rated"}


def test_segment_calls_come_back_as_usage_and_profiles_or_are_refused_as_planned(
    deliveries: list[Delivery],
) -> None:
    sender = Sender("demo", "segment", RECEIVED)
    met = set()
    for delivery in deliveries:
        if not isinstance(delivery.event, UsageEvent | AccountProfile):
            continue
        raw = msgspec.json.encode(call(delivery))
        if delivery.bad is None:
            assert to_record(raw, sender, {}) == received(delivery.event, "segment")
        else:
            with pytest.raises(Fault) as fault:
                to_record(raw, sender, {})
            assert fault.value.reason == BAD_REASONS[delivery.bad]
            met.add(delivery.bad)

    assert met == set(BAD_REASONS)


def test_a_broken_track_has_no_other_shape_than_its_kind_says() -> None:
    event = UsageEvent(
        event_id="e", tenant="", account_id="a", source="segment", occurred_at=1, received_at=0, name="n"
    )

    assert call(Delivery(1, event))["context"] == {"groupId": "a"}
    assert call(Delivery(1, event, "bad", "no_account"))["context"] == {}


def test_a_tenant_without_keys_is_named_with_the_setting() -> None:
    settings = GatewaySettings(tenants={"acme": TenantSettings()})

    with pytest.raises(ConfigError, match=r"gateway\.tenants\.acme\.write_keys"):
        CustomerKeys.of(settings, "acme")
    with pytest.raises(ConfigError, match="no tenant 'demo'"):
        CustomerKeys.of(settings, "demo")
