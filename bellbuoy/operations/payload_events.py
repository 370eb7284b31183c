"""The events that a kept webhook makes with today's mapping."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.http.errors import Fault
from gateway.http.json_decoding import well_formed
from gateway.http.sender import Sender
from gateway.sources.source import WebhookSource
from schemas.records import InputEvent, RawPayload

__all__ = ["mapped"]


def mapped(source: WebhookSource, payload: RawPayload, *, tests: bool) -> Iterator[InputEvent | Fault]:
    """
    Yield the events of a payload of a source, and a fault for each that can't be used.

    A body that can't be used is one fault. Without ``tests`` those of the vendor's test mode are left out.
    """
    sender = Sender(payload.tenant, payload.source, payload.received_at)
    try:
        raws = source.split(well_formed(payload.body))
    except Fault as fault:
        yield fault
        return
    for raw in raws:
        if not tests and source.is_test is not None and source.is_test(raw):
            continue
        try:
            event = source.to_record(raw, sender, payload.headers)
        except Fault as fault:
            yield fault
            continue
        if event is not None:
            yield event
