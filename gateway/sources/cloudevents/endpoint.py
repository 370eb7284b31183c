"""The HTTP endpoint of CloudEvents, with a result for each event."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.body import BodyReader, check_batch_size, check_event_size, media_type
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.http.limits import RequestLimits
from gateway.http.results import Results, is_dry_run
from gateway.http.sender import told_of
from gateway.keys.api_keys import ApiKeys
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from gateway.sources.cloudevents import SOURCE
from gateway.sources.cloudevents.events import binary, structured, to_record, topic_of
from schemas.records import InputEvent

__all__ = ["CloudEventsEndpoint"]


class CloudEventsEndpoint:
    """
    The endpoint ``POST /v1/cloudevents``.

    ``clock`` returns UTC milliseconds; ``reserved`` are the sources that an event may not claim.
    """

    def __init__(
        self,
        limits: RequestLimits,
        keys: ApiKeys,
        bodies: BodyReader,
        dispatcher: Dispatcher,
        clock: Callable[[], int],
        reserved: frozenset[str],
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock
        self._reserved = reserved

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/v1/cloudevents", self.post, methods=["POST"], name="/v1/cloudevents")]

    async def post(self, request: Request) -> Response:
        """Accept one event or a batch, and answer for each; a bad one of a batch becomes a dead letter."""
        received_at = self._clock()
        grant = self._keys.server_grant(request.headers.get("authorization"), SOURCE.name)
        sender = told_of(request, grant.sender(SOURCE.name, received_at))
        form = media_type(request)
        async with self._bodies.body_of(request, proven=True) as received:
            body = well_formed(received)
            try:
                several = structured(body, form)
                events = [binary(request.headers, body)] if several is None else several
            except Fault as fault:
                raise HttpError.of(fault) from fault
            check_batch_size(len(events), self._limits)
            batch = form == "application/cloudevents-batch+json"
            records, results = RequestRecords(sender, grant), Results()
            for index, event in enumerate(events):
                self._add(records, results, event, index if batch else None)
            if is_dry_run(request):
                return results.answer(dry_run=True)
            for index, why in results.rejected if results.mixed else ():
                raw = events[index]
                self._dispatcher.add_dead_letter(records, topic_of(raw), raw, why)
            for _, why in () if results.mixed else results.rejected:
                self._dispatcher.refuse(records, why)
            await self._dispatcher.send(records)
        return results.answer()

    def _add(self, records: RequestRecords, results: Results, raw: bytes, index: int | None) -> None:
        records.raws.append(raw)
        try:
            check_event_size(raw, self._limits)
            raw = self._dispatcher.fields.of(records.sender).changed(raw)
            event = to_record(raw, records.sender, {})
            _check_source(event, self._reserved)
            self._dispatcher.accept(records, event)
        except Fault as fault:
            results.reject(fault, index)
        else:
            results.accept(event.event_id)


def _check_source(event: InputEvent, reserved: frozenset[str]) -> None:
    if event.source.strip().casefold() in reserved:
        raise Fault("this source has an endpoint of its own: name another", "/source")
