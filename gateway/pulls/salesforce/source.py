"""Salesforce as a source that is asked."""

from __future__ import annotations

from gateway.field_policy import FieldRules
from gateway.pulls.pull import PullSource
from gateway.pulls.salesforce.connection import SalesforceConnection
from gateway.pulls.salesforce.objects import STREAMS, TOPICS, to_record
from gateway.pulls.salesforce.settings import SalesforceSettings

__all__ = ["SOURCE"]

SOURCE = PullSource(
    name="salesforce",
    title="Salesforce",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/Id",
            "/SystemModstamp",
            "/account",
            "/Status",
            "/StatusCode",
            "/EndDate",
            "/IsClosed",
            "/Priority",
            "/CreatedDate",
            "/ClosedDate",
            "/TaskSubtype",
            "/CompletedDateTime",
        ),
        kept=(
            "/Name",
            "/Website",
            "/Type",
            "/Owner/Name",
            "/Email",
            "/fields",
        ),
        dropped=("/Subject",),
    ),
    settings=SalesforceSettings,
    streams=lambda _: tuple(STREAMS),
    connect=SalesforceConnection,
    topics=TOPICS,
)
