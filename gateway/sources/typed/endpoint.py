"""The typed JSON door: the events of any input topic, without a vendor between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.auth import WriteKeys
from gateway.http.body import bounded, read_body
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import Decoder, well_formed
from gateway.outbox.dispatch import Dispatch, RequestRecords, Sender
from gateway.settings import GatewaySettings
from gateway.sources.typed.forms import Form
from schemas.codec.registry import Registry
from schemas.inputs import OFFERED_TOPICS

__all__ = ["TypedEndpoint"]

_LISTS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])


class TypedEndpoint:
    """``POST /v1/events/{topic}``; ``clock`` gives UTC milliseconds."""

    def __init__(
        self,
        settings: GatewaySettings,
        keys: WriteKeys,
        dispatch: Dispatch,
        registry: Registry,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._dispatch = dispatch
        self._clock = clock
        self._doors = {topic: Form(topic, registry) for topic in OFFERED_TOPICS}

    async def post(self, request: Request) -> Response:
        """
        Take one event, or a list of them, and tell for each whether it was accepted.

        200: all were; 207: some were; 400: none was.
        """
        received_at = self._clock()
        tenant = self._keys.from_header(request.headers.get("authorization"))
        if tenant is None:
            raise self._keys.refusal()
        door = self._doors.get(request.path_params["topic"])
        if door is None:
            raise HttpError(404, "unknown_topic", f"no such topic; there are {', '.join(OFFERED_TOPICS)}")
        body = well_formed(await read_body(request, self._settings))
        single = not body.lstrip(b" \t\r\n").startswith(b"[")
        try:
            items = [msgspec.Raw(body)] if single else _LISTS.read(body)
        except Fault as fault:
            raise HttpError(400, "invalid", fault.detail, fault.pointer) from fault
        if len(items) > self._settings.max_batch_events:
            raise HttpError(
                413, "too_large", f"a list has at most {self._settings.max_batch_events} events", ""
            )
        parcel = RequestRecords()
        sender = Sender(tenant, "api", received_at)
        verdicts = [
            self._verdict(parcel, door, bytes(item), sender, "" if single else f"/{index}")
            for index, item in enumerate(items)
        ]
        await self._dispatch.send(parcel)
        return _answer(verdicts)

    def _verdict(
        self, parcel: RequestRecords, door: Form, raw: bytes, sender: Sender, place: str
    ) -> dict[str, Any]:
        try:
            bounded(raw, self._settings.max_event_bytes)
            event = door.read(raw, sender)
            self._dispatch.pack(parcel, door.topic, event)
            self._dispatch.pack_links(parcel, event)
        except Fault as fault:
            return {"status": "rejected", "message": fault.detail, "pointer": place + fault.pointer}
        return {"status": "accepted", "event_id": event.event_id}


def _answer(verdicts: list[dict[str, Any]]) -> Response:
    rejected = [verdict for verdict in verdicts if verdict["status"] == "rejected"]
    said: dict[str, Any] = {
        "accepted": len(verdicts) - len(rejected),
        "rejected": len(rejected),
        "results": verdicts,
    }
    status = 200
    if rejected:
        status = 400 if len(rejected) == len(verdicts) else 207
        said |= {"code": "invalid", "message": rejected[0]["message"], "pointer": rejected[0]["pointer"]}
    return Response(msgspec.json.encode(said), status, media_type="application/json")
