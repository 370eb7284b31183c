"""Segment's HTTP tracking API: one call a request, or a batch of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.auth import WriteKeys
from gateway.http.body import bounded, read_body
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.metrics import IGNORED, UNREADABLE
from gateway.outbox.dispatch import Dispatch, RequestRecords, Sender
from gateway.settings import GatewaySettings
from gateway.sources.segment.calls import (
    CALL_DECODER,
    Batch,
    Call,
    decode_batch,
    instant,
    record_of,
    surroundings,
    topic_of,
    typed,
    user_of,
)

__all__ = ["SegmentEndpoint"]

_SUCCESS = b'{"success": true}'
_SOURCE = "segment"


class SegmentEndpoint:
    """The tracking routes; ``clock`` gives UTC milliseconds."""

    def __init__(
        self, settings: GatewaySettings, keys: WriteKeys, dispatch: Dispatch, clock: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._dispatch = dispatch
        self._clock = clock

    def single(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint that takes one call of this type."""

        async def endpoint(request: Request) -> Response:
            received_at = self._clock()
            tenant = self._keys.from_header(request.headers.get("authorization"))
            body = well_formed(await read_body(request, self._settings))
            try:
                call = CALL_DECODER.read(body)
                sender = self._sender(tenant, call, received_at)
                if len(body) > self._settings.max_event_bytes:
                    raise HttpError(
                        413, "too_large", f"an event has at most {self._settings.max_event_bytes} bytes"
                    )
                parcel = RequestRecords()
                self._take(parcel, kind, call, body, sender, sent_at=instant(call.sent_at))
            except Fault as fault:
                raise _bad_request(fault) from fault
            await self._dispatch.send(parcel)
            return Response(_SUCCESS, media_type="application/json")

        return endpoint

    async def batch(self, request: Request) -> Response:
        """Take a batch; a bad call in it becomes a dead letter and spoils no other."""
        received_at = self._clock()
        tenant = self._keys.from_header(request.headers.get("authorization"))
        body = well_formed(await read_body(request, self._settings))
        try:
            batch = decode_batch(body)
        except Fault as fault:
            raise _bad_request(fault) from fault
        sender = self._sender(tenant, batch, received_at)
        if len(batch.batch) > self._settings.max_batch_events:
            raise HttpError(
                413, "too_large", f"a batch has at most {self._settings.max_batch_events} events", "/batch"
            )
        sent_at = instant(batch.sent_at)
        group = batch.context.get("groupId") if isinstance(batch.context, dict) else None
        parcel = RequestRecords()
        for element in batch.batch:
            self._take_one_of_many(parcel, bytes(element), sender, sent_at, group)
        await self._dispatch.send(parcel)
        return Response(_SUCCESS, media_type="application/json")

    def _sender(self, tenant: str | None, message: Call | Batch, received_at: int) -> Sender:
        tenant = tenant or self._keys.tenant(message.write_key)
        if tenant is None:
            raise self._keys.refusal()
        return Sender(tenant, _SOURCE, received_at)

    def _take_one_of_many(
        self, parcel: RequestRecords, raw: bytes, sender: Sender, sent_at: int | None, group: object
    ) -> None:
        kind = None
        try:
            call = CALL_DECODER.read(bounded(raw, self._settings.max_event_bytes))
            kind = typed(call)
            own = instant(call.sent_at)
            self._take(parcel, kind, call, raw, sender, sent_at=sent_at if own is None else own, group=group)
        except Fault as fault:
            around = surroundings(kind, sent_at)
            self._dispatch.set_aside(parcel, sender, topic_of(kind), raw, fault, around)

    def _take(
        self,
        parcel: RequestRecords,
        kind: str,
        call: Call,
        raw: bytes,
        sender: Sender,
        *,
        sent_at: int | None,
        group: object = None,
    ) -> None:
        try:
            record = record_of(kind, call, raw, sender, sent_at=sent_at, group=group, unreadable=_unreadable)
        except Fault as fault:
            if fault.reason == "invalid":
                raise
            around = surroundings(kind, sent_at)
            self._dispatch.set_aside(parcel, sender, topic_of(kind), raw, fault, around)
            return
        if record is None:
            IGNORED.labels(_SOURCE).inc()
        else:
            self._dispatch.pack(parcel, topic_of(kind), record)
            self._dispatch.pack_links(parcel, record, user_of(call))


def _bad_request(fault: Fault) -> HttpError:
    return HttpError(400, "invalid", fault.detail, fault.pointer)


def _unreadable(name: str) -> None:
    UNREADABLE.labels(name).inc()
