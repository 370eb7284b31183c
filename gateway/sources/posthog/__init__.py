"""PostHog: its capture API, whose events become usage events and account profiles."""

from __future__ import annotations

from gateway.field_policy import FieldRules
from gateway.sources.posthog.calls import to_record
from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(
    name="posthog",
    title="PostHog",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/event",
            "/uuid",
            "/timestamp",
            "/offset",
            "/properties/$groups",
            "/properties/$group_type",
            "/properties/$group_key",
            "/properties/$insert_id",
            "/properties/timestamp",
            "/properties/name",
            "/properties/feature",
            "/properties/category",
            "/properties/duration_ms",
            "/properties/latency_ms",
            "/properties/error",
            "/properties/groupId",
            "/properties/$group_set/name",
            "/properties/$group_set/segment",
            "/properties/$group_set/stage",
            "/properties/$group_set/arr",
            "/properties/$group_set/arr_minor",
            "/properties/$group_set/currency",
            "/properties/$group_set/seats",
            "/properties/$group_set/domain",
            "/properties/$group_set/website",
            "/properties/$group_set/parent_id",
        ),
        kept=(
            "/distinct_id",
            "/properties/distinct_id",
            "/properties/$screen_name",
            "/properties/title",
            "/properties/$pathname",
            "/properties/$group_set/owner",
            "/properties/$group_set/own",
        ),
        dropped=(
            "/properties/*",
            "/properties/$ip",
            "/properties/$set",
            "/properties/$current_url",
        ),
    ),
)
