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
from processors.intake.admission import Admission, time_refusal
from schemas.codec.registry import Registry
from schemas.inputs import OFFERED_TOPICS
from schemas.records import InputEvent
from schemas.times import DAY, MINUTE

__all__ = ["TypedEndpoint"]

_LISTS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])


class TypedEndpoint:
    """
    The endpoint ``POST /v1/events/{topic}``; ``clock`` returns UTC milliseconds.

    ``reserved`` are the sources that a typed event may not claim; ``admission`` bounds the time of an event,
    ``None`` leaves that to the journal.
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
        admission: Admission | None,
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock
        self._admission = admission
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
            if self._admission is not None:
                _check_time(event, sender.received_at, self._admission)
            self._dispatcher.add(records, event)
            self._dispatcher.add_derived(records, event)
        except Fault as fault:
            return {"status": "rejected", "message": fault.detail, "pointer": pointer + fault.pointer}
        return {"status": "accepted", "event_id": event.event_id}


def _check_time(event: InputEvent, now: int, admission: Admission) -> None:
    """Raise Fault for an event that the journal would refuse for its time."""
    refusal = time_refusal(event.occurred_at, now, admission)
    if refusal is None:
        return
    if refusal.reason == "too_late":
        age, most = (now - event.occurred_at) // DAY, admission.horizon_ms // DAY
        detail = (
            f"the event is {age} days old, and one older than {most} days can't count any more: correct "
            "occurred_at, or leave the event out"
        )
    else:
        ahead, most = (event.occurred_at - now) // MINUTE, admission.future_ms // MINUTE
        detail = (
            f"the event is {ahead} minutes ahead of the gateway's clock, and {most} are accepted: correct "
            "occurred_at (UTC where it has no offset), or the sender's clock"
        )
    raise Fault(detail, "/occurred_at")


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
