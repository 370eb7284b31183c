"""Stripe's customers: the account that an object belongs to, and the link from a customer to it. Pure."""

from __future__ import annotations

from typing import Any

from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.http.times import seconds
from gateway.outbox.accounts import account_or_alias
from gateway.sources.stripe.objects import ExpandedObject, StripeCustomer, StripeEvent, identifier
from schemas.identity.aliases import is_alias
from schemas.records import AccountLink

__all__ = ["CUSTOMER_TYPES", "account_of", "customer_link"]

CUSTOMER_TYPES = ("customer.created", "customer.updated")
"""The types of the events that may link a customer to an account."""


def customer_link(customer: StripeCustomer, event: StripeEvent, sender: Sender) -> AccountLink | None:
    """Return the link from a customer to the account that its metadata name."""
    account, pointer = _named(customer.metadata), "/data/object/metadata/account_id"
    if account is None or account == customer.id:
        return None
    account_or_alias(customer.id, "/data/object/id")
    if is_alias(account_or_alias(account, pointer)):
        raise Fault("a link leads to an account, not to an alias", pointer)
    return AccountLink(
        event_id=event.id,
        tenant=sender.tenant,
        account_id=customer.id,
        source=sender.source,
        occurred_at=seconds(event.created, "/created"),
        received_at=sender.received_at,
        into=account,
    )


def account_of(metadata: list[dict[str, Any] | None], customer: str | ExpandedObject | None) -> str | None:
    """Return the account that the metadata name, an expanded customer's last; else the customer's id."""
    if isinstance(customer, ExpandedObject):
        metadata = [*metadata, customer.metadata]
    return next((account for each in metadata if (account := _named(each))), identifier(customer))


def _named(metadata: dict[str, Any] | None) -> str | None:
    account = metadata.get("account_id") if metadata else None
    return account if isinstance(account, str) and account else None
