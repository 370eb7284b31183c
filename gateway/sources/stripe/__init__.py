"""Stripe: webhooks with snapshot events, which become billing events."""

from __future__ import annotations

from gateway.sources.signatures import SignatureScheme
from gateway.sources.source import WebhookSource
from gateway.sources.stripe.events import is_test, split, to_record
from gateway.sources.stripe.fields import FIELDS

__all__ = ["SOURCE"]


def _signature_scheme() -> SignatureScheme:
    # Stripe's library takes a quarter of a second to load, and reading the settings loads this module.
    from gateway.sources.stripe.signature import StripeSignature  # noqa: PLC0415

    return StripeSignature()


SOURCE = WebhookSource(
    name="stripe",
    title="Stripe",
    topic="billing.events",
    signature_scheme=_signature_scheme,
    split=split,
    to_record=to_record,
    fields=FIELDS,
    demo_secret="whsec_demo",  # noqa: S106 - published
    is_test=is_test,
)
