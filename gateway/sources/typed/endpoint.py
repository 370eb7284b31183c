"""The HTTP endpoint of typed events: one event a request, or a list of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.body import BodyReader, check_batch_size, check_event_size, media_type
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import Decoder, well_formed
from gateway.http.limits import RequestLimits
from gateway.http.results import Results, is_dry_run
from gateway.http.sender import told_of
from gateway.keys.api_keys import ApiKeys, Grant
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from gateway.sources.typed import SOURCE, TOPIC_HEADER
from gateway.sources.typed.forms import Form
from processors.intake.admission import Admission, time_refusal
from schemas.codec.registry import Registry
from schemas.inputs import OFFERED_TOPICS
from schemas.records import InputEvent
from schemas.times import DAY, MINUTE

__all__ = ["TypedEndpoint"]

_LISTS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])
_OBJECTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
"""Media types of a body with an event on each line."""


class TypedEndpoint:
    """
    The endpoints ``POST /v1/events/{topic}`` and ``POST /v1/events``; ``clock`` returns UTC milliseconds.

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
        """Return the routes: of one topic, and of several."""
        return [
            Route("/v1/events", self.post_mixed, methods=["POST"], name="/v1/events"),
            Route("/v1/events/{topic}", self.post, methods=["POST"], name="/v1/events"),
        ]

    async def post(self, request: Request) -> Response:
        """
        Accept one event, or a list of events, and answer for each whether it was accepted.

        200: all were; 207: some were; 400: none was. A rejected event of a list of which
        others were accepted becomes a dead letter.
        """
        topic = request.path_params["topic"]
        grant = self._grant(request)
        if topic not in self._forms:
            known = f"no such topic; there are {', '.join(OFFERED_TOPICS)}"
            raise HttpError(404, "unknown_topic", known, tenant=grant.tenant)
        return await self._take(request, grant, topic)

    async def post_mixed(self, request: Request) -> Response:
        """Accept events of several topics, each of which names its own in ``topic``."""
        return await self._take(request, self._grant(request), None)

    def _grant(self, request: Request) -> Grant:
        return self._keys.server_grant(request.headers.get("authorization"), SOURCE.name)

    async def _take(self, request: Request, grant: Grant, topic: str | None) -> Response:
        sender = told_of(request, grant.sender(SOURCE.name, self._clock()))
        lines = media_type(request) in _LINES
        async with self._bodies.body_of(request, proven=True) as received:
            body = well_formed(received)
            single = not lines and not body.lstrip(b" \t\r\n").startswith(b"[")
            try:
                items = _items(body, single=single, lines=lines)
            except Fault as fault:
                raise HttpError.of(fault) from fault
            check_batch_size(len(items), self._limits, "list")
            records, results = RequestRecords(sender, grant), Results()
            for index, item in enumerate(items):
                self._add(records, results, item, topic, None if single else index)
            if is_dry_run(request):
                return results.answer(dry_run=True)
            for index, why in results.rejected if results.mixed else ():
                own, raw = topic or _named_topic(items[index]), items[index]
                headers = {TOPIC_HEADER: own.encode()}
                self._dispatcher.add_dead_letter(records, own, raw, why, headers)
            for _, why in () if results.mixed else results.rejected:
                self._dispatcher.refuse(records, why)
            await self._dispatcher.send(records)
        return results.answer()

    def _add(
        self,
        records: RequestRecords,
        results: Results,
        raw: bytes,
        topic: str | None,
        index: int | None,
    ) -> None:
        """Add one event's records and its result; ``index`` is its place in a list."""
        records.raws.append(raw)
        try:
            check_event_size(raw, self._limits)
            raw = self._dispatcher.fields.of(records.sender).changed(raw)
            if topic is None:
                topic, raw = _own_topic(raw)
            event = self._forms[topic].read(raw, records.sender)
            if self._admission is not None:
                _check_time(event, records.sender.received_at, self._admission)
            self._dispatcher.accept(records, event)
        except Fault as fault:
            results.reject(fault, index)
        else:
            results.accept(event.event_id)


def _items(body: bytes, *, single: bool, lines: bool) -> list[bytes]:
    """Return the JSON of each event of a body; raise Fault."""
    if lines:
        return [line for line in body.splitlines() if line.strip()]
    return [body] if single else [bytes(item) for item in _LISTS.read(body)]


def _own_topic(raw: bytes) -> tuple[str, bytes]:
    """Return the topic that an event names, and the event without it; raise Fault."""
    fields = _OBJECTS.read(raw)
    topic = fields.pop("topic", None)
    if topic not in OFFERED_TOPICS:
        raise Fault(f"topic is one of {', '.join(OFFERED_TOPICS)}", "/topic")
    return str(topic), msgspec.json.encode(fields)


def _named_topic(raw: bytes) -> str:
    """Return the topic that a rejected event names; the first one where it names none."""
    try:
        return _own_topic(raw)[0]
    except Fault:
        return OFFERED_TOPICS[0]


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
        if time_refusal(event.occurred_at * 1000, now, admission) is None:
            detail = "these are seconds: write UTC milliseconds, or ISO 8601"
    else:
        ahead, most = (event.occurred_at - now) // MINUTE, admission.future_ms // MINUTE
        detail = (
            f"the event is {ahead} minutes ahead of the gateway's clock, and {most} are accepted: correct "
            "occurred_at (UTC where it has no offset), or the sender's clock"
        )
    raise Fault(detail, "/occurred_at")
