"""Read again what the front door set aside, now that it is mended. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.outbox.dispatch import Sender
from gateway.sources.segment.calls import record_of_letter
from gateway.sources.stripe import events as stripe_events
from gateway.sources.zendesk import events as zendesk_events
from schemas.records import InputEvent

__all__ = ["DOORS"]

Read = Callable[[bytes, Sender, Mapping[str, bytes]], InputEvent | None]


def _stripe(raw: bytes, sender: Sender, _: Mapping[str, bytes]) -> InputEvent | None:
    event = stripe_events.decode_event(raw)
    return stripe_events.billing_event(event, sender) if event.type in stripe_events.MAPPED else None


def _zendesk(raw: bytes, sender: Sender, _: Mapping[str, bytes]) -> InputEvent | None:
    return zendesk_events.support_event(zendesk_events.decode_event(raw), sender)


DOORS: dict[str, Read] = {"segment": record_of_letter, "stripe": _stripe, "zendesk": _zendesk}
"""
How to read a dead letter of each door: its JSON, its sender and its headers.

They return ``None`` for an event that says nothing about health, and raise Fault.
"""
