"""HubSpot's CRM as a source that is asked."""

from __future__ import annotations

from gateway.field_policy import FieldRules
from gateway.pulls.hubspot_crm.connection import HubSpotConnection
from gateway.pulls.hubspot_crm.objects import STREAMS, TOPICS, to_record
from gateway.pulls.hubspot_crm.settings import HubSpotSettings
from gateway.pulls.pull import PullSource

__all__ = ["SOURCE"]

SOURCE = PullSource(
    name="hubspot_crm",
    title="HubSpot CRM",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/id",
            "/company",
            "/closed",
            "/properties/hs_lastmodifieddate",
            "/properties/lastmodifieddate",
            "/properties/createdate",
            "/properties/closed_date",
            "/properties/hs_ticket_priority",
            "/properties/hs_timestamp",
            "/properties/hs_email_direction",
            "/properties/hs_meeting_outcome",
            "/properties/hs_call_status",
            "/properties/associatedcompanyid",
        ),
        kept=(
            "/properties/name",
            "/properties/domain",
            "/properties/lifecyclestage",
            "/properties/email",
            "/properties/hs_buying_role",
            "/properties/hs_email_from_email",
            "/owner",
            "/fields",
        ),
        dropped=("/properties/subject",),
    ),
    settings=HubSpotSettings,
    streams=lambda _: tuple(STREAMS),
    connect=HubSpotConnection,
    topics=TOPICS,
)
