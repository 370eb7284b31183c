"""The registry of sources, from which routes, metrics, settings, repair and the simulator are derived."""

from __future__ import annotations

from gateway.sources import (
    chargebee,
    chatwoot,
    cloudevents,
    customerio,
    helpscout,
    hubspot,
    intercom,
    lago,
    posthog,
    segment,
    standard,
    stripe,
    typed,
    userguiding,
    wootric,
    zendesk,
)
from gateway.sources.source import Source, ToRecord, WebhookSource
from schemas.records import OWN_SOURCE

__all__ = ["KEYED", "REPAIRS", "RESERVED", "SOURCES", "WEBHOOKS"]

SOURCES: tuple[Source, ...] = (
    segment.SOURCE,
    posthog.SOURCE,
    cloudevents.SOURCE,
    typed.SOURCE,
    stripe.SOURCE,
    chargebee.SOURCE,
    lago.SOURCE,
    zendesk.SOURCE,
    intercom.SOURCE,
    helpscout.SOURCE,
    chatwoot.SOURCE,
    hubspot.SOURCE,
    wootric.SOURCE,
    customerio.SOURCE,
    userguiding.SOURCE,
    standard.SOURCE,
)
"""Every source."""

WEBHOOKS = tuple(source for source in SOURCES if isinstance(source, WebhookSource))
"""The sources that send signed webhooks."""

KEYED = tuple(source for source in SOURCES if not isinstance(source, WebhookSource))
"""The sources whose senders show a key."""

REPAIRS: dict[str, ToRecord] = {source.name: source.to_record for source in SOURCES}
"""How to map a dead letter's original JSON again, by the name of the source that made it."""

RESERVED = frozenset({OWN_SOURCE, *(source.name for source in SOURCES if source is not typed.SOURCE)})
"""
The names in the field ``source`` that a typed event may not claim.

A vendor's event is proven by its signature, and an event's id is unique within its source alone.
"""
