"""HubSpot's CRM as a source that is asked."""

from __future__ import annotations

from gateway.pulls.hubspot_crm.connection import HubSpotConnection
from gateway.pulls.hubspot_crm.objects import STREAMS, TOPICS, to_record
from gateway.pulls.hubspot_crm.settings import HubSpotSettings
from gateway.pulls.pull import PullSource

__all__ = ["SOURCE"]

SOURCE = PullSource(
    name="hubspot_crm",
    title="HubSpot CRM",
    to_record=to_record,
    settings=HubSpotSettings,
    streams=lambda _: tuple(STREAMS),
    connect=HubSpotConnection,
    topics=TOPICS,
)
