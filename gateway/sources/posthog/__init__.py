"""PostHog: its capture API, whose events become usage events and account profiles."""

from __future__ import annotations

from gateway.sources.posthog.calls import to_record
from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(name="posthog", title="PostHog", to_record=to_record)
