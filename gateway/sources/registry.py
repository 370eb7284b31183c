"""The registry of sources, from which routes, metrics, settings, repair and the simulator are derived."""

from __future__ import annotations

from gateway.sources import segment, stripe, typed, zendesk
from gateway.sources.source import Source, ToRecord, WebhookSource

__all__ = ["REPAIRS", "SOURCES", "WEBHOOKS"]

SOURCES: tuple[Source, ...] = (segment.SOURCE, typed.SOURCE, stripe.SOURCE, zendesk.SOURCE)
"""Every source."""

WEBHOOKS = tuple(source for source in SOURCES if isinstance(source, WebhookSource))
"""The sources that send signed webhooks."""

REPAIRS: dict[str, ToRecord] = {source.name: source.to_record for source in SOURCES if source.to_record}
"""How to map a dead letter's original JSON again, by the name of the source that made it."""
