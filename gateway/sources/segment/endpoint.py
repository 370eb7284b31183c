"""The HTTP endpoints of Segment's API: one call a request, a batch of calls, and the settings of an SDK."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.body import BodyReader, check_event_size
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.http.limits import RequestLimits
from gateway.http.results import dry_run_of
from gateway.http.sender import told_of
from gateway.keys.api_keys import ApiKeys
from gateway.metrics import count_unusable
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from gateway.sources.segment import SOURCE
from gateway.sources.segment.calls import (
    CALL_DECODER,
    CALLS,
    Call,
    Id,
    call_type,
    decode_batch,
    group_of,
    key_in,
    sent_at_of,
    topic_of,
)
from gateway.sources.segment.records import dead_letter_headers, receipt_of, record_of, user_of
from gateway.sources.segment.sdk_settings import sdk_settings

__all__ = ["SegmentEndpoint"]

_SUCCESS = Response(b'{"success": true}', media_type="application/json")
_BATCH_PATHS = ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
"""
Paths of a batch: its name, its short form in browsers, the one of the libraries for Java and Ruby, and that
of RudderStack's beacons.
"""


class SegmentEndpoint:
    """
    The tracking routes; ``clock`` returns UTC milliseconds.

    ``public_url`` is the gateway's address for browsers and apps; without it, it is the one they used.
    """

    def __init__(
        self,
        limits: RequestLimits,
        keys: ApiKeys,
        bodies: BodyReader,
        dispatcher: Dispatcher,
        clock: Callable[[], int],
        public_url: str | None = None,
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Return the routes; the names of a call share its label."""
        singles = [
            Route(f"/v1{path}", self._single(kind), methods=["POST"], name=f"/v1/{kind}")
            for kind in CALLS
            for path in (f"/{kind}", f"/{kind[0]}")
        ]
        batches = [Route(path, self._batch, methods=["POST"], name="/v1/batch") for path in _BATCH_PATHS]
        return [
            *singles,
            *batches,
            Route("/v1/projects/{key}/settings", self._settings, methods=["GET"], name="/v1/projects"),
        ]

    def _single(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of one type of call."""

        async def endpoint(request: Request) -> Response:
            received_at = self._clock()
            grant = self._keys.from_header(request.headers.get("authorization"), SOURCE.name)
            async with self._bodies.body_of(request, proven=grant is not None) as body:
                try:
                    grant = grant or self._keys.grant(_key(request, body), SOURCE.name)
                    sender = told_of(request, grant.sender(SOURCE.name, received_at))
                    if len(body) > self._limits.max_event_bytes:
                        raise HttpError(
                            413, "too_large", f"an event has at most {self._limits.max_event_bytes} bytes"
                        )
                    raw = well_formed(body)
                    left = self._dispatcher.fields.of(sender).changed(raw)
                    call = CALL_DECODER.read(left)
                    records = RequestRecords(sender, grant, dry_run_of(request), [raw])
                    self._add(records, kind, call, left, sent_at=sent_at_of(call), receipt=_receipt())
                except Fault as fault:
                    raise HttpError.of(fault) from fault
                if records.dry_run is not None:
                    return records.dry_run.answer(dry_run=True)
                await self._dispatcher.send(records)
            return _SUCCESS

        return endpoint

    async def _batch(self, request: Request) -> Response:
        """Accept a batch; a bad call in it becomes a dead letter and does not affect the others."""
        received_at = self._clock()
        grant = self._keys.from_header(request.headers.get("authorization"), SOURCE.name)
        async with self._bodies.body_of(request, proven=grant is not None) as body:
            try:
                grant = grant or self._keys.grant(_key(request, body), SOURCE.name)
                sender = told_of(request, grant.sender(SOURCE.name, received_at))
                batch = decode_batch(well_formed(body), self._limits.max_batch_events)
            except Fault as fault:
                raise HttpError.of(fault) from fault
            sent_at, group, receipt = sent_at_of(batch), group_of(batch), _receipt()
            records = RequestRecords(sender, grant, dry_run_of(request))
            for index, call in enumerate(batch.batch):
                self._add_of_batch(records, bytes(call), sent_at, group, f"{receipt}/{index}")
            if records.dry_run is not None:
                return records.dry_run.answer(dry_run=True)
            await self._dispatcher.send(records)
        return _SUCCESS

    async def _settings(self, request: Request) -> Response:
        """Answer what browser and mobile SDKs ask before they send: where to send, and what to load."""
        key = request.path_params["key"]
        self._keys.check_public(key)
        address = self._public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
        body = orjson.dumps(sdk_settings(key, address))
        return Response(
            body, headers={"Cache-Control": "private, max-age=120"}, media_type="application/json"
        )

    def _add_of_batch(
        self,
        records: RequestRecords,
        raw: bytes,
        sent_at: int | None,
        group: Id,
        receipt: str,
    ) -> None:
        records.raws.append(raw)
        kind = None
        try:
            check_event_size(raw, self._limits)
            raw = self._dispatcher.fields.of(records.sender).changed(raw)
            call = CALL_DECODER.read(raw)
            kind = call_type(call)
            own = sent_at_of(call)
            sent_at = sent_at if own is None else own
            self._add(records, kind, call, raw, sent_at=sent_at, group=group, receipt=receipt)
        except Fault as fault:
            self._add_dead_letter(records, kind, raw, fault, sent_at, receipt)

    def _add(
        self,
        records: RequestRecords,
        kind: str,
        call: Call,
        raw: bytes,
        *,
        sent_at: int | None,
        receipt: str,
        group: Id = None,
    ) -> None:
        try:
            record = record_of(
                kind,
                call,
                raw,
                records.sender,
                sent_at=sent_at,
                group=group,
                receipt=receipt,
                on_unusable=count_unusable,
            )
        except Fault as fault:
            if fault.reason == "invalid":
                raise
            self._add_dead_letter(records, kind, raw, fault, sent_at, receipt)
            return
        if record is None:
            self._dispatcher.ignore(records, raw)
        else:
            self._dispatcher.accept(records, record, user_of(call))

    def _add_dead_letter(
        self,
        records: RequestRecords,
        kind: str | None,
        raw: bytes,
        fault: Fault,
        sent_at: int | None,
        receipt: str,
    ) -> None:
        receipt = receipt_of(raw, receipt)
        headers = dead_letter_headers(kind, sent_at, receipt)
        self._dispatcher.add_dead_letter(records, topic_of(kind), raw, fault, headers, receipt)


def _key(request: Request, body: bytes) -> str | None:
    """Return the write key in a body, else that in the address, where a beacon has it; raise Fault."""
    return key_in(body) or request.query_params.get("writeKey")


def _receipt() -> str:
    """Return a text that no other request has."""
    return secrets.token_hex(8)
