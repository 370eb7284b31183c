"""Accounts that are known from the webhooks of vendors alone: from the signed body to the measures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import asdict

from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from processors.intake.usage_rollup_rows import roll_up
from processors.measures import MEASURES, MeasureValue
from processors.observe import OBSERVERS, observe_usage
from processors.state.account import State
from processors.view import View
from schemas.inputs import BY_TOPIC
from schemas.records import UsageEvent
from schemas.times import DAY, iso
from tests.support.gateway_client import NOW, GatewayClient

__all__ = ["Accounts", "stripe_event", "subscription", "ticket_event"]

_OBSERVERS: dict[type, Any] = {
    topic.record: observe
    for topic in BY_TOPIC.values()
    for field, observe in OBSERVERS
    if field == topic.batch_field
} | {UsageEvent: observe_usage}


class Accounts:
    """The states that follow from webhooks, by account."""

    def __init__(self) -> None:
        self._gateway = GatewayClient()
        self.states: dict[str, State] = {}

    def send(self, vendor: str, *bodies: Any) -> Accounts:
        """Sign and post events of a vendor, one after the other, and fold what the gateway made of them."""
        source = _source(vendor)
        for body in bodies:
            self._gateway.outbox.records.clear()
            answer = self._gateway.webhook(source, body)
            assert answer.status == 200, answer.json
            assert not self._gateway.sent("events.deadletter")
            self.fold(event for topic in BY_TOPIC for event in self._gateway.sent(topic))
        return self

    def fold(self, events: Iterable[Any]) -> None:
        """Fold events into the states of their accounts."""
        for event in events:
            state = self.states.setdefault(event.account_id, State(event.tenant, event.account_id))
            cells = roll_up([asdict(event)]) if isinstance(event, UsageEvent) else [event]
            for each in cells:
                _OBSERVERS[type(event)](state, each)

    def measure(self, account: str, name: str, at: int = NOW) -> MeasureValue:
        """Return a measure of an account."""
        return MEASURES[name](View(self.states.get(account, State()), at))


def _source(vendor: str) -> WebhookSource:
    return next(source for source in WEBHOOKS if source.name == vendor)


def subscription(**change: Any) -> dict[str, Any]:
    """Return a Stripe subscription to one seat at 100 USD a month."""
    return {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "metadata": {"account_id": "acme"},
        "currency": "usd",
        "status": "active",
        "cancel_at": None,
        "cancel_at_period_end": False,
        "items": items(1),
    } | change


def items(quantity: Any = 1, **price: Any) -> dict[str, Any]:
    """Return the items of a Stripe subscription: one, of 100 USD a month unless its price says otherwise."""
    whole = {"id": "price_1", "unit_amount": 10_000, "currency": "usd", "recurring": {"interval": "month"}}
    end = (NOW + 20 * DAY) // 1000
    return {"data": [{"quantity": quantity, "current_period_end": end, "price": whole | price}]}


def stripe_event(
    id_: str, kind: str, obj: dict[str, Any], previous: dict[str, Any] | None = None, *, at: int = NOW
) -> dict[str, Any]:
    """Return an event of Stripe; one about a subscription by the last word of its type alone."""
    data = {"object": obj} | ({} if previous is None else {"previous_attributes": previous})
    type_ = kind if "." in kind else f"customer.subscription.{kind}"
    return {"id": id_, "object": "event", "type": type_, "created": at // 1000, "data": data}


def ticket_event(
    id_: str, name: str, detail: dict[str, Any], event: dict[str, Any] | None = None, *, at: int = NOW
) -> dict[str, Any]:
    """Return an event of Zendesk about a ticket."""
    return {
        "id": id_,
        "type": f"zen:event-type:ticket.{name}",
        "time": iso(at),
        "detail": {"id": "901", "organization_id": "A", "priority": "HIGH", "status": "OPEN"} | detail,
        "event": event or {},
    }
