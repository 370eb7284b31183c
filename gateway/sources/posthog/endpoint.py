"""The HTTP endpoints of PostHog's API: one event, a list of events, a batch, flags and settings."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import uuid
from collections.abc import Callable
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.body import BodyReader, check_batch_size, check_event_size, gunzip
from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import well_formed
from gateway.http.limits import RequestLimits
from gateway.http.results import dry_run_of
from gateway.http.sender import told_of
from gateway.keys.api_keys import ApiKeys
from gateway.metrics import count_unusable
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from gateway.sources.posthog import SOURCE
from gateway.sources.posthog.calls import events_in, headers_kept, key_in, record_of_event, sent_at_in
from gateway.sources.posthog.flags import FLAG_PATHS, browser_settings, browser_settings_script, no_flags

__all__ = ["PATHS", "PosthogEndpoint"]

PATHS = ("/batch", "/capture", "/e", "/i/v0/e", "/i/v0/batch")
"""Paths of the capture API; each takes one event as well as a batch."""

_ACCEPTED = b'{"status": 1}'
_GZIP = b"\x1f\x8b"
_FORMS = "data is neither JSON nor base64 of it; of compressions, gzip is read"
_FORM = re.compile(rb"(?:[a-z_]{1,20}=[^&]{0,64}&){0,9}data=")


class PosthogEndpoint:
    """The capture routes and those for flags and settings; ``clock`` returns UTC milliseconds."""

    def __init__(
        self,
        limits: RequestLimits,
        keys: ApiKeys,
        bodies: BodyReader,
        dispatcher: Dispatcher,
        clock: Callable[[], int],
    ) -> None:
        self._limits = limits
        self._keys = keys
        self._bodies = bodies
        self._dispatcher = dispatcher
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes; they share a label for each path."""
        handlers = dict.fromkeys(PATHS, self.post) | dict.fromkeys(FLAG_PATHS, self.flags)
        return [
            *(Route(path, handler, methods=["POST"], name=path) for path, handler in handlers.items()),
            Route("/array/{key}/config", self.settings, methods=["GET"], name="/array"),
            Route("/array/{key}/config.js", self.settings, methods=["GET"], name="/array"),
        ]

    async def post(self, request: Request) -> Response:
        """Accept a body; a bad event in it becomes a dead letter and does not affect the others."""
        received_at = self._clock()
        async with self._bodies.body_of(request, proven=False) as received:
            try:
                body = await self._plain(received)
                grant = self._keys.grant(key_in(body, self._limits.max_event_bytes), SOURCE.name)
                sender = told_of(request, grant.sender(SOURCE.name, received_at))
                body = well_formed(body)
                events = events_in(body, self._limits.max_batch_events)
                sent_at = sent_at_in(body, request.query_params.get("_"))
            except Fault as fault:
                raise HttpError.of(fault) from fault
            check_batch_size(len(events), self._limits, pointer="/batch")
            receipt, dry_run = secrets.token_hex(8), dry_run_of(request)
            records = RequestRecords(sender, grant, dry_run)
            for index, event in enumerate(events):
                self._add(records, event, sent_at, f"{receipt}/{index}")
            if dry_run is not None:
                return dry_run.answer(dry_run=True)
            await self._dispatcher.send(records)
        return Response(_ACCEPTED, media_type="application/json")

    async def flags(self, request: Request) -> Response:
        """Answer a client that asks for feature flags that there are none; of its body the key is read."""
        async with self._bodies.body_of(request, proven=False) as received:
            try:
                key = key_in(await self._plain(received), self._limits.max_event_bytes)
            except Fault as fault:
                raise HttpError.of(fault) from fault
            self._keys.grant(key, SOURCE.name)
        answer = no_flags(str(uuid.uuid4()), self._clock())
        return Response(orjson.dumps(answer), media_type="application/json")

    async def settings(self, request: Request) -> Response:
        """Answer a browser that asks for its settings, as a script first and then as JSON."""
        key = request.path_params["key"]
        self._keys.check_public(key)
        is_script = request.url.path.endswith(".js")
        return Response(
            browser_settings_script(key) if is_script else browser_settings(key),
            headers={"Cache-Control": "private, max-age=120"},
            media_type="application/javascript" if is_script else "application/json",
        )

    async def _plain(self, body: bytes) -> bytes:
        """Return the JSON of a body that a browser may have compressed, or sent as a form; raise Fault."""
        if body.startswith(_GZIP):
            return await gunzip(body, self._limits.max_body_bytes)
        if not _FORM.match(body):
            return body
        try:
            data = parse_qs(body.decode(), max_num_fields=10)["data"][0]
            if data.lstrip()[:1] in ("{", "["):
                return data.encode()
            # A plus sign that was not escaped is a space in a form; the padding may be missing.
            text = data.strip().replace(" ", "+").rstrip("=")
            plain = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError, KeyError) as error:
            raise Fault(_FORMS) from error
        if plain.startswith(_GZIP):
            return await gunzip(plain, self._limits.max_body_bytes)
        if plain.lstrip()[:1] not in (b"{", b"["):
            raise Fault(_FORMS)
        return plain

    def _add(self, records: RequestRecords, raw: bytes, sent_at: int | None, receipt: str) -> None:
        records.raws.append(raw)
        try:
            check_event_size(raw, self._limits)
            raw = self._dispatcher.fields.of(records.sender).changed(raw)
            record, user = record_of_event(raw, records.sender, sent_at, receipt, count_unusable)
            if record is None:
                self._dispatcher.ignore(records, raw)
            else:
                self._dispatcher.accept(records, record, user)
        except Fault as fault:
            headers = headers_kept(sent_at, receipt)
            self._dispatcher.add_dead_letter(records, "usage.events", raw, fault, headers, receipt)
