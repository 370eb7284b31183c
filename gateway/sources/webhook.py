"""The HTTP endpoint of a webhook: verifies the signature, maps the events, answers once they are durable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.body import BodyReader
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.http.results import dry_run_of
from gateway.http.sender import Sender, told_of
from gateway.metrics import REJECTED
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from gateway.sources.signatures import BadSignatureError, SignedRequest
from gateway.sources.source import WebhookSource

__all__ = ["WebhookEndpoint"]

log = structlog.get_logger(__name__)

_RECEIVED = b'{"received": true}'
_MAX_HEADER = 256
"""Bytes of a header that says something of an event; the rest is cut off."""


class WebhookEndpoint:
    """
    The endpoint of one webhook source, with a path for each tenant.

    ``secrets`` are those of each tenant that has any, ``test_secrets`` those for the vendor's test mode;
    ``clock`` returns UTC milliseconds; ``public_url`` is the gateway's address for the vendor, without it the
    one that the vendor asked; of the tenants ``kept`` a verified body is kept, as far as the field policy
    lets it. The answers are

    - 404: the tenant has no secret of this source;
    - 401: the signature does not prove that the vendor sent the body;
    - 400: the vendor sent the body, but it is not of the kind this endpoint is for;
    - 200: every event is durable, or says nothing about health. An event that can't be used is kept as a dead
      letter and answered with 200 as well, because sending it again would not repair it.
    """

    def __init__(
        self,
        source: WebhookSource,
        secrets: Mapping[str, Sequence[str]],
        test_secrets: Mapping[str, Sequence[str]],
        bodies: BodyReader,
        dispatcher: Dispatcher,
        clock: Callable[[], int],
        public_url: str | None = None,
        kept: Collection[str] = (),
    ) -> None:
        self._source = source
        self._scheme = source.signature_scheme()
        self._secrets = secrets
        self._test_secrets = test_secrets
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock
        self._public_url = public_url
        self._kept = kept

    def routes(self) -> list[Route]:
        """Return the one route of this endpoint."""
        path = f"{self._source.path}/{{tenant}}"
        return [Route(path, self.answer, methods=["POST", "HEAD"], name=self._source.path)]

    async def answer(self, request: Request) -> Response:
        """Verify one body, and send the records of its events; a HEAD asks only whether it is there."""
        source = self._source
        tenant = request.path_params["tenant"]
        for_tests = self._test_secrets.get(tenant, ())
        secrets = [*self._secrets.get(tenant, ()), *for_tests]
        if not secrets:
            REJECTED.labels(source.name, "unknown_tenant").inc()
            raise HttpError(
                404, "unknown_tenant", f"no tenant of that name has a {source.name} secret: see the settings"
            )
        if request.method == "HEAD":
            return Response(media_type="application/json")
        sender = told_of(request, Sender(tenant, source.name, self._clock()))
        async with self._bodies.body_of(request, proven=False) as body:
            signed = SignedRequest(self._url(request), body, request.headers, request.method)
            try:
                self._scheme.verify(signed, secrets, sender.received_at)
            except BadSignatureError as error:
                raise _bad_signature(sender, error) from error
            try:
                events = source.split(well_formed(body))
                fields = self._dispatcher.fields.of(sender)
                kept = [fields.apply(event) for event in events]
            except Fault as fault:
                raise _unexpected_body(sender, fault) from fault
            may_test = self._signed(for_tests, signed, sender)
            headers = _event_headers(request, source)
            made = bytearray() if tenant in self._kept else None
            records = RequestRecords(sender, dry_run=dry_run_of(request), made=made)
            for event, left in zip(events, kept, strict=True):
                if not may_test and source.is_test is not None and source.is_test(event):
                    self._dispatcher.ignore(records, left)
                else:
                    records.raws.append(event)
                    self._add(records, left, headers)
            if records.dry_run is not None:
                return records.dry_run.answer(dry_run=True)
            if kept and made is not None:
                whole = b"[" + b",".join(kept) + b"]" if body.lstrip()[:1] == b"[" else kept[0]
                self._dispatcher.keep(records, whole, headers, for_tests=may_test)
            await self._dispatcher.send(records)
        return Response(_RECEIVED, media_type="application/json")

    def _url(self, request: Request) -> str:
        """Return the address that the vendor asked, as it knows it, with a slash at its end if it has one."""
        asked = bytes(request.scope.get("raw_path") or request.url.path.encode())
        path = asked.partition(b"?")[0].decode("latin-1")
        path += f"?{request.url.query}" if request.url.query else ""
        if self._public_url is None:
            return f"{request.url.scheme}://{request.url.netloc}{path}"
        return self._public_url.rstrip("/") + path

    def _signed(self, secrets: Sequence[str], signed: SignedRequest, sender: Sender) -> bool:
        try:
            self._scheme.verify(signed, secrets, sender.received_at)
        except BadSignatureError:
            return False
        return True

    def _add(self, records: RequestRecords, event: bytes, headers: Mapping[str, bytes]) -> None:
        try:
            record = self._source.to_record(event, records.sender, headers)
            if record is None:
                self._dispatcher.ignore(records, event)
            else:
                self._dispatcher.accept(records, record)
        except Fault as fault:
            self._dispatcher.add_dead_letter(records, self._source.topic, event, fault, headers)


def _event_headers(request: Request, source: WebhookSource) -> dict[str, bytes]:
    """Return what the request's headers say of its event."""
    present = {name: request.headers.get(name, "") for name in source.event_headers}
    return {name: value.encode()[:_MAX_HEADER] for name, value in present.items() if value}


def _bad_signature(sender: Sender, error: BadSignatureError) -> HttpError:
    REJECTED.labels(sender.source, error.reason).inc()
    log.warning(
        "Webhook refused: its signature does not prove the sender.",
        source=sender.source,
        tenant=sender.tenant,
        error=str(error),
    )
    return HttpError(
        401, "bad_signature", f"{error}; see that the secret is this endpoint's and the clock is right"
    )


def _unexpected_body(sender: Sender, fault: Fault) -> HttpError:
    REJECTED.labels(sender.source, "invalid").inc()
    log.warning(
        "Webhook refused: its body is not an event of this kind.",
        source=sender.source,
        tenant=sender.tenant,
        error=fault.detail,
        pointer=fault.pointer,
    )
    return HttpError.of(fault)
