"""The HTTP endpoint of typed events: one event a request, or a list of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.auth import ApiKeys
from gateway.http.body import BodyReader, check_event_size
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import Decoder, well_formed
from gateway.http.limits import RequestLimits
from gateway.http.sender import Sender
from gateway.outbox.dispatch import Dispatcher, RequestRecords
from gateway.sources.typed import SOURCE
from gateway.sources.typed.forms import Form
from schemas.codec.registry import Registry
from schemas.inputs import OFFERED_TOPICS

__all__ = ["TypedEndpoint"]

_LISTS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])


class TypedEndpoint:
    """
    The endpoint ``POST /v1/events/{topic}``; ``clock`` returns UTC milliseconds.

    ``reserved`` are the sources that a typed event may not claim.
    """

    def __init__(
        self,
        limits: RequestLimits,
        keys: ApiKeys,
        bodies: BodyReader,
        dispatcher: Dispatcher,
        registry: Registry,
        clock: Callable[[], int],
        reserved: frozenset[str],
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock
        self._forms = {topic: Form(topic, registry, reserved) for topic in OFFERED_TOPICS}

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/v1/events/{topic}", self.post, methods=["POST"], name="/v1/events")]

    async def post(self, request: Request) -> Response:
        """
        Accept one event, or a list of events, and answer for each whether it was accepted.

        200: all were; 207: some were; 400: none was.
        """
        received_at = self._clock()
        grant = self._keys.server_grant(request.headers.get("authorization"))
        form = self._forms.get(request.path_params["topic"])
        if form is None:
            raise HttpError(404, "unknown_topic", f"no such topic; there are {', '.join(OFFERED_TOPICS)}")
        async with self._bodies.body_of(request, proven=True) as received:
            body = well_formed(received)
            single = not body.lstrip(b" \t\r\n").startswith(b"[")
            try:
                items = [msgspec.Raw(body)] if single else _LISTS.read(body)
            except Fault as fault:
                raise HttpError.of(fault) from fault
            if len(items) > self._limits.max_batch_events:
                raise HttpError(
                    413, "too_large", f"a list has at most {self._limits.max_batch_events} events", ""
                )
            records = RequestRecords()
            sender = Sender(grant.tenant, SOURCE.name, received_at)
            results = [
                self._add(records, form, bytes(item), sender, "" if single else f"/{index}")
                for index, item in enumerate(items)
            ]
            await self._dispatcher.send(records)
        return _answer(results)

    def _add(
        self, records: RequestRecords, form: Form, raw: bytes, sender: Sender, pointer: str
    ) -> dict[str, Any]:
        """Add one event's records; return its result. ``pointer`` is that of the event in the body."""
        try:
            check_event_size(raw, self._limits)
            event = form.read(raw, sender)
            self._dispatcher.add(records, event)
            self._dispatcher.add_derived(records, event)
        except Fault as fault:
            return {"status": "rejected", "message": fault.detail, "pointer": pointer + fault.pointer}
        return {"status": "accepted", "event_id": event.event_id}


def _answer(results: list[dict[str, Any]]) -> Response:
    rejected = [result for result in results if result["status"] == "rejected"]
    body: dict[str, Any] = {
        "accepted": len(results) - len(rejected),
        "rejected": len(rejected),
        "results": results,
    }
    status = 200
    if rejected:
        status = 400 if len(rejected) == len(results) else 207
        body |= {"code": "invalid", "message": rejected[0]["message"], "pointer": rejected[0]["pointer"]}
    return Response(msgspec.json.encode(body), status, media_type="application/json")
