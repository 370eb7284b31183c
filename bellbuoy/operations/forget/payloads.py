"""The events that a kept webhook makes with today's mapping."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from gateway.http.errors import Fault
from gateway.http.json_decoding import well_formed
from gateway.http.sender import Sender
from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from schemas.records import InputEvent, RawPayload

__all__ = ["events_of"]


def events_of(payload: RawPayload) -> Iterator[InputEvent]:
    """Yield the events of a payload, without those that can't be used."""
    source = _sources().get(payload.source)
    if source is None:
        return
    sender = Sender(payload.tenant, payload.source, payload.received_at)
    try:
        raws = source.split(well_formed(payload.body))
    except Fault:
        return
    for raw in raws:
        try:
            event = source.to_record(raw, sender, payload.headers)
        except Fault:
            continue
        if event is not None:
            yield event


@cache
def _sources() -> dict[str, WebhookSource]:
    return {source.name: source for source in WEBHOOKS}
