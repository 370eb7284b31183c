"""Segment: its HTTP tracking API, whose calls become usage events and account profiles."""

from __future__ import annotations

from gateway.field_policy import FieldRules, Where
from gateway.sources.segment.records import to_record
from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(
    name="segment",
    title="Segment",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/type",
            "/messageId",
            "/timestamp",
            "/originalTimestamp",
            "/sentAt",
            "/event",
            "/name",
            "/category",
            "/groupId",
            "/context/groupId",
            "/properties/groupId",
            "/properties/name",
            "/properties/feature",
            "/properties/category",
            "/properties/duration_ms",
            "/properties/latency_ms",
            "/properties/error",
            "/traits/segment",
            "/traits/stage",
            "/traits/arr",
            "/traits/arr_minor",
            "/traits/currency",
            "/traits/seats",
            "/traits/domain",
            "/traits/website",
            "/traits/parent_id",
            "/traits/company/id",
        ),
        kept=(
            "/userId",
            "/anonymousId",
            "/previousId",
            "/traits/owner",
            "/traits/own",
            "/traits/company/name",
            "/traits/company/own",
        ),
        dropped=(
            "/context/*",
            "/properties/*",
            "/traits/*",
        ),
        where=(Where("groupId", None, ("/traits/name",)),),
    ),
)
