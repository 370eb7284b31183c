"""Zendesk: webhooks that are subscribed to ticket events, which become support events."""

from __future__ import annotations

from gateway.sources.signatures import HmacScheme
from gateway.sources.source import WebhookSource
from gateway.sources.zendesk.events import split, to_record

__all__ = ["SIGNATURE", "SOURCE"]

SIGNATURE = HmacScheme(
    header="x-zendesk-webhook-signature",
    signed="{time}{body}",
    encoding="base64",
    time_header="x-zendesk-webhook-signature-timestamp",
    time_form="iso",
)
"""Source: https://developer.zendesk.com/documentation/webhooks/verifying/"""

SOURCE = WebhookSource(
    name="zendesk",
    title="Zendesk",
    topic="support.events",
    signature_scheme=lambda: SIGNATURE,
    split=split,
    to_record=to_record,
    demo_secret="zendesk-demo",  # noqa: S106 - published
)
