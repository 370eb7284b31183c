"""
HubSpot's CRM, asked by search: companies, contacts, tickets, e-mails, meetings and calls.

Webhooks (``gateway.sources.hubspot``) tell of companies sooner; this reads what they don't have.
"""

from __future__ import annotations

from gateway.pulls.hubspot_crm.connection import HubSpotConnection, HubSpotSettings
from gateway.pulls.hubspot_crm.objects import STREAMS, TOPICS, to_record
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
