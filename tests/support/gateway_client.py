"""A client of the whole gateway on the in-memory outbox, without a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

from gateway.actions.secrets import ActionSecrets
from gateway.app import assemble
from gateway.http.sender import Sender
from gateway.keys.api_keys import ApiKeys
from gateway.outbox.port import MemoryOutbox, OutgoingRecord
from gateway.privacy import PrivacySettings
from gateway.settings import GatewaySettings
from gateway.sources.registry import WEBHOOKS
from gateway.sources.signatures import SignedRequest
from gateway.sources.source import Source, WebhookSource
from processors.intake.admission import Admission
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import UsageEvent
from schemas.topics import RAW_TOPIC, Topics

NOW = 1_780_000_000_000
STAMP = "2026-05-28T20:26:40Z"
"""NOW in ISO 8601."""


def basic(key: str) -> dict[str, str]:
    """Return the header of Basic auth with a key as the user name."""
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


KEY, SERVER_KEY = basic("key-1"), basic("server-1")


def old_secret(source: WebhookSource) -> str:
    return f"{source.name}-old"


def new_secret(source: WebhookSource) -> str:
    return f"{source.name}-new"


SETTINGS = GatewaySettings.model_validate(
    {
        "tenants": {
            "acme": {"write_keys": ["key-1", "key-2"], "server_keys": ["server-1"]}
            | {source.secrets_key: [old_secret(source), new_secret(source)] for source in WEBHOOKS},
            "other": {"write_keys": ["key-other"]},
        }
    }
)
"""The tenant ``acme`` has two write keys and two of each secret; ``other`` has a write key alone."""


def signature(source: WebhookSource, secret: str, body: bytes, at: int = NOW) -> dict[str, str]:
    """Return the headers with which a vendor signs a body for ``acme``."""
    return source.signature_scheme().sign(
        secret, SignedRequest(f"http://127.0.0.1{source.path}/acme", body), at
    )


def left_of(source: Source, event: Any) -> Any:
    """Return what a source's default field policy leaves of an event of ``acme``, or of each of a list."""
    if isinstance(event, list):
        return [left_of(source, each) for each in event]
    policy = PrivacySettings().policies().of(Sender("acme", source.name, NOW))
    return json.loads(policy.apply(json.dumps(event).encode()))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def events_in(topic: str, value: bytes) -> list[Any]:
    """Return the events in a record: several in an envelope of usage events."""
    if topic == "usage.events":
        return [UsageEvent(**fields) for fields in Envelopes().unpack(value)]
    return [codec(topic).decode(value)]


_ADMISSION = Admission()


class GatewayClient:
    """
    Sends requests to a gateway of its own; ``outbox`` holds what the gateway sent to Kafka.

    ``last`` is the last answer, also that of a request in which the gateway failed and raised.
    """

    def __init__(
        self,
        settings: GatewaySettings = SETTINGS,
        admission: Admission | None = _ADMISSION,
        actions: ActionSecrets | None = None,
        keys: ApiKeys | None = None,
        privacy: PrivacySettings | None = None,
    ) -> None:
        self.outbox = MemoryOutbox()
        self.now = NOW
        self.last: Answer | None = None
        self.app = assemble(
            settings,
            self.outbox,
            Topics("t-"),
            committed(),
            lambda: self.now,
            admission,
            actions,
            keys,
            fields=privacy and privacy.policies(),
        )

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        return asyncio.run(self._request(method, path, body, headers or {}))

    def post(self, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Answer:
        """Post bytes as they are, else JSON; with ``acme``'s key for the route unless given."""
        own = SERVER_KEY if path.startswith("/v1/events") else KEY
        return self.request("POST", path, encoded(body), own if headers is None else headers)

    def webhook(
        self,
        source: WebhookSource,
        body: Any,
        *,
        secret: str | None = None,
        at: int = NOW,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Post a webhook to ``acme``, signed by the vendor's scheme; with the new secret unless given."""
        data = encoded(body)
        signed = signature(source, secret or new_secret(source), data, at)
        return self.post(f"{source.path}/acme", data, (headers or {}) | signed)

    def told(
        self, tenant: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Post, and return the arrivals that those who watch a tenant are told of meanwhile."""

        async def watched() -> list[dict[str, Any]]:
            with self.app.state.arrivals.watch(tenant) as queue:
                await self._request("POST", path, encoded(body), KEY if headers is None else headers)
                return [queue.get_nowait() for _ in range(queue.qsize())]

        return asyncio.run(watched())

    @property
    def made(self) -> list[OutgoingRecord]:
        """The records that were sent, without the webhooks that are kept as they came."""
        return [record for record in self.outbox.records if record.topic != f"t-{RAW_TOPIC}"]

    def sent(self, topic: str) -> list[Any]:
        """Return the events that were sent to a topic, in envelopes or not."""
        values = [record.value for record in self.outbox.records if record.topic == f"t-{topic}"]
        return [event for value in values for event in events_in(topic, value)]

    async def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent: list[Any] = []
        chunks = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return chunks.pop() if chunks else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path.partition("?")[0],
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": path.partition("?")[2].encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        try:
            await self.app(scope, receive, send)
        finally:
            start, *rest = sent
            answered = {name.decode(): value.decode() for name, value in start["headers"]}
            self.last = Answer(start["status"], answered, b"".join(part.get("body", b"") for part in rest))
        return self.last


def encoded(body: Any) -> bytes:
    """Return bytes as they are, and anything else as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()
