"""Zendesk: webhooks that are subscribed to ticket events, which become support events."""

from __future__ import annotations

from gateway.field_policy import FieldRules, Where
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
    fields=FieldRules(
        needed=(
            "/id",
            "/type",
            "/time",
            "/detail/id",
            "/detail/organization_id",
            "/detail/external_id",
            "/detail/priority",
            "/detail/status",
            "/detail/created_at",
            "/event/comment/author/is_staff",
            "/event/comment/is_public",
            "/event/satisfaction_score/score",
            "/event/meta/sequence/position",
        ),
        kept=("/detail/tags",),
        dropped=(
            "/detail/subject",
            "/detail/description",
            "/event/comment/body",
            "/event/satisfaction_score/comment",
        ),
        where=(
            Where(
                "type",
                frozenset(
                    f"zen:event-type:ticket.{field}_changed"
                    for field in ("status", "priority", "organization")
                ),
                ("/event/current", "/event/previous"),
            ),
        ),
    ),
    demo_secret="zendesk-demo",  # noqa: S106 - published
)
