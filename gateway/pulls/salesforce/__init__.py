"""Salesforce, asked by SOQL: accounts, contacts, contracts, cases and tasks."""

from __future__ import annotations

from gateway.pulls.pull import PullSource
from gateway.pulls.salesforce.connection import SalesforceConnection, SalesforceSettings
from gateway.pulls.salesforce.objects import STREAMS, TOPICS, to_record

__all__ = ["SOURCE"]

SOURCE = PullSource(
    name="salesforce",
    title="Salesforce",
    to_record=to_record,
    settings=SalesforceSettings,
    streams=lambda _: tuple(STREAMS),
    connect=SalesforceConnection,
    topics=TOPICS,
)
