"""The HTTP endpoint of a webhook: verifies the signature, maps the events, answers once they are durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.body import BodyReader
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.http.sender import Sender
from gateway.metrics import IGNORED, REJECTED
from gateway.outbox.dispatch import Dispatcher, RequestRecords
from gateway.sources.signatures import BadSignatureError
from gateway.sources.source import WebhookSource

__all__ = ["WebhookEndpoint"]

log = structlog.get_logger(__name__)

_RECEIVED = b'{"received": true}'


class WebhookEndpoint:
    """
    The endpoint of one webhook source, with a path for each tenant.

    ``secrets`` are those of each tenant that has any, ``test_secrets`` those for the vendor's test mode;
    ``clock`` returns UTC milliseconds. The answers are

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
    ) -> None:
        self._source = source
        self._scheme = source.signature_scheme()
        self._secrets = secrets
        self._test_secrets = test_secrets
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the one route of this endpoint."""
        path = f"{self._source.path}/{{tenant}}"
        return [Route(path, self.post, methods=["POST"], name=self._source.path)]

    async def post(self, request: Request) -> Response:
        """Verify one body, and send the records of its events."""
        source = self._source
        tenant = request.path_params["tenant"]
        for_tests = self._test_secrets.get(tenant, ())
        secrets = [*self._secrets.get(tenant, ()), *for_tests]
        if not secrets:
            REJECTED.labels(source.name, "unknown_tenant").inc()
            raise HttpError(
                404, "unknown_tenant", f"no tenant of that name has a {source.name} secret: see the settings"
            )
        sender = Sender(tenant, source.name, self._clock())
        async with self._bodies.body_of(request, proven=False) as body:
            try:
                self._scheme.verify(request.headers, body, secrets, sender.received_at)
            except BadSignatureError as error:
                raise _bad_signature(sender, error) from error
            try:
                events = source.split(well_formed(body))
            except Fault as fault:
                raise _unexpected_body(sender, fault) from fault
            may_test = self._signed(for_tests, request, body, sender)
            records = RequestRecords()
            for event in events:
                if not may_test and source.is_test is not None and source.is_test(event):
                    IGNORED.labels(source.name).inc()
                else:
                    self._add(records, event, sender)
            await self._dispatcher.send(records)
        return Response(_RECEIVED, media_type="application/json")

    def _signed(self, secrets: Sequence[str], request: Request, body: bytes, sender: Sender) -> bool:
        try:
            self._scheme.verify(request.headers, body, secrets, sender.received_at)
        except BadSignatureError:
            return False
        return True

    def _add(self, records: RequestRecords, event: bytes, sender: Sender) -> None:
        try:
            record = self._source.to_record(event, sender, {})
            if record is None:
                IGNORED.labels(sender.source).inc()
                return
            self._dispatcher.add(records, record)
            self._dispatcher.add_derived(records, record)
        except Fault as fault:
            self._dispatcher.add_dead_letter(records, sender, self._source.topic, event, fault)


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
