"""The HTTP endpoints of Segment's tracking API: one call a request, or a batch of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.auth import WriteKeys
from gateway.http.body import check_event_size, read_body
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.http.limits import RequestLimits
from gateway.http.sender import Sender
from gateway.metrics import IGNORED, UNUSABLE_PROPERTIES
from gateway.outbox.dispatch import Dispatcher, RequestRecords
from gateway.sources.segment import SOURCE
from gateway.sources.segment.calls import (
    CALL_DECODER,
    CALLS,
    Batch,
    Call,
    call_type,
    dead_letter_headers,
    decode_batch,
    record_of,
    sent_at_of,
    topic_of,
    user_of,
)

__all__ = ["SegmentEndpoint"]

_SUCCESS = b'{"success": true}'


class SegmentEndpoint:
    """The tracking routes; ``clock`` returns UTC milliseconds."""

    def __init__(
        self, limits: RequestLimits, keys: WriteKeys, dispatcher: Dispatcher, clock: Callable[[], int]
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._dispatcher = dispatcher
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes below ``/v1``; each has a short form, which shares its label."""
        endpoints = {kind: self._single(kind) for kind in CALLS} | {"batch": self._batch}
        return [
            Route(path, endpoint, methods=["POST"], name=f"/v1/{kind}")
            for kind, endpoint in endpoints.items()
            for path in (f"/{kind}", f"/{kind[0]}")
        ]

    def _single(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of one type of call."""

        async def endpoint(request: Request) -> Response:
            received_at = self._clock()
            tenant = self._keys.from_header(request.headers.get("authorization"))
            body = well_formed(await read_body(request, self._limits))
            try:
                call = CALL_DECODER.read(body)
                sender = self._sender(tenant, call, received_at)
                if len(body) > self._limits.max_event_bytes:
                    raise HttpError(
                        413, "too_large", f"an event has at most {self._limits.max_event_bytes} bytes"
                    )
                records = RequestRecords()
                self._add(records, kind, call, body, sender, sent_at=sent_at_of(call))
            except Fault as fault:
                raise HttpError.of(fault) from fault
            await self._dispatcher.send(records)
            return Response(_SUCCESS, media_type="application/json")

        return endpoint

    async def _batch(self, request: Request) -> Response:
        """Accept a batch; a bad call in it becomes a dead letter and does not affect the others."""
        received_at = self._clock()
        tenant = self._keys.from_header(request.headers.get("authorization"))
        body = well_formed(await read_body(request, self._limits))
        try:
            batch = decode_batch(body)
        except Fault as fault:
            raise HttpError.of(fault) from fault
        sender = self._sender(tenant, batch, received_at)
        if len(batch.batch) > self._limits.max_batch_events:
            raise HttpError(
                413, "too_large", f"a batch has at most {self._limits.max_batch_events} events", "/batch"
            )
        sent_at = sent_at_of(batch)
        group = batch.context.get("groupId") if isinstance(batch.context, dict) else None
        records = RequestRecords()
        for call in batch.batch:
            self._add_of_batch(records, bytes(call), sender, sent_at, group)
        await self._dispatcher.send(records)
        return Response(_SUCCESS, media_type="application/json")

    def _sender(self, tenant: str | None, message: Call | Batch, received_at: int) -> Sender:
        tenant = tenant or self._keys.tenant(message.write_key)
        if tenant is None:
            raise self._keys.unauthorized()
        return Sender(tenant, SOURCE.name, received_at)

    def _add_of_batch(
        self, records: RequestRecords, raw: bytes, sender: Sender, sent_at: int | None, group: object
    ) -> None:
        kind = None
        try:
            check_event_size(raw, self._limits)
            call = CALL_DECODER.read(raw)
            kind = call_type(call)
            own = sent_at_of(call)
            self._add(records, kind, call, raw, sender, sent_at=sent_at if own is None else own, group=group)
        except Fault as fault:
            headers = dead_letter_headers(kind, sent_at)
            self._dispatcher.add_dead_letter(records, sender, topic_of(kind), raw, fault, headers)

    def _add(
        self,
        records: RequestRecords,
        kind: str,
        call: Call,
        raw: bytes,
        sender: Sender,
        *,
        sent_at: int | None,
        group: object = None,
    ) -> None:
        try:
            record = record_of(
                kind, call, raw, sender, sent_at=sent_at, group=group, on_unusable=_count_unusable
            )
        except Fault as fault:
            if fault.reason == "invalid":
                raise
            headers = dead_letter_headers(kind, sent_at)
            self._dispatcher.add_dead_letter(records, sender, topic_of(kind), raw, fault, headers)
            return
        if record is None:
            IGNORED.labels(SOURCE.name).inc()
        else:
            self._dispatcher.add(records, record)
            self._dispatcher.add_links(records, record, user_of(call))


def _count_unusable(name: str) -> None:
    UNUSABLE_PROPERTIES.labels(name).inc()
