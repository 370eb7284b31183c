"""
Mapping of Stripe's events to billing events. Pure.

Every event carries its object whole. What is so comes from the object; what has just changed (the kind, and
the revenue before) comes from ``previous_attributes`` and is news only. docs/sources/stripe.md has the table.

Source: https://docs.stripe.com/api/events/types
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import seconds
from gateway.outbox.accounts import account_or_alias
from gateway.sources.stripe.customers import CUSTOMER_TYPES, customer_link
from gateway.sources.stripe.disputes import DISPUTE_KINDS, dispute_fields
from gateway.sources.stripe.invoices import INVOICE_KINDS, invoice_fields
from gateway.sources.stripe.objects import Dispute, Invoice, StripeCustomer, StripeEvent, Subscription
from gateway.sources.stripe.subscriptions import SUBSCRIPTION_KINDS, previous_attributes, subscription_fields
from schemas.records import AccountLink, BillingEvent

__all__ = ["is_test", "split", "to_record"]

T = TypeVar("T")

_MAPPED_TYPES = frozenset({*INVOICE_KINDS, *DISPUTE_KINDS, *SUBSCRIPTION_KINDS, *CUSTOMER_TYPES})
"""The event types that become a record; any other says nothing about health."""

_EVENTS: Decoder[StripeEvent] = Decoder(StripeEvent, lax=True)
_THIN_EVENTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_INVOICES: Decoder[Invoice] = Decoder(Invoice, lax=True)
_DISPUTES: Decoder[Dispute] = Decoder(Dispute, lax=True)
_SUBSCRIPTIONS: Decoder[Subscription] = Decoder(Subscription, lax=True)
_CUSTOMERS: Decoder[StripeCustomer] = Decoder(StripeCustomer, lax=True)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault, also for a thin (v2) event, which carries no object."""
    _decode(body)
    return [body]


def is_test(body: bytes) -> bool:
    """Tell whether an event is of Stripe's test mode."""
    return _decode(body).livemode is False


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> BillingEvent | AccountLink | None:
    """
    Return the record of an event, or ``None`` for one that says nothing about health.

    Raises Fault with a pointer into the event, reason ``unresolved_account`` where no account is named.
    """
    event = _decode(raw)
    if event.type not in _MAPPED_TYPES:
        return None
    if event.type in CUSTOMER_TYPES:
        return customer_link(_object(_CUSTOMERS, event), event, sender)
    if event.type in INVOICE_KINDS:
        account, fields = invoice_fields(_object(_INVOICES, event), event.type)
    elif event.type in DISPUTE_KINDS:
        account, fields = dispute_fields(_object(_DISPUTES, event), event.type)
    else:
        account, fields = subscription_fields(
            _object(_SUBSCRIPTIONS, event), previous_attributes(event), event.type
        )
    if fields is None:
        return None
    if not account:
        raise Fault(
            "no account: set metadata.account_id on the object", "/data/object/metadata", "unresolved_account"
        )
    account_or_alias(account, "/data/object/metadata/account_id")
    return BillingEvent(
        event_id=event.id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=seconds(event.created, "/created"),
        received_at=sender.received_at,
        **fields,
    )


def _decode(body: bytes) -> StripeEvent:
    if _THIN_EVENTS.read(body).get("object") == "v2.core.event":
        raise Fault("a thin event: choose snapshot payloads for this webhook endpoint in Stripe", "/object")
    event = _EVENTS.read(body)
    if event.object != "event":
        raise Fault("not a Stripe event", "/object")
    return event


def _object(decoder: Decoder[T], event: StripeEvent) -> T:
    return decoder.read(event.data.object, "/data/object")
