"""The whole front door on the in-memory outbox, asked without a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from gateway.app import assemble
from gateway.outbox.port import MemoryOutbox
from gateway.settings import GatewaySettings, TenantSettings
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import UsageEvent
from schemas.topics import Topics

NOW = 1_780_000_000_000
KEY = {"authorization": "Basic " + base64.b64encode(b"key-1:").decode()}
SETTINGS = GatewaySettings(
    tenants={
        "acme": TenantSettings(
            write_keys=(SecretStr("key-1"), SecretStr("key-2")),
            stripe_secrets=(SecretStr("whsec_old"), SecretStr("whsec_new")),
            zendesk_secrets=(SecretStr("zen-old"), SecretStr("zen-new")),
        ),
        "other": TenantSettings(write_keys=(SecretStr("key-other"),)),
    }
)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def events_in(topic: str, value: bytes) -> list[Any]:
    """Return the records in a record: more than one in an envelope of usage."""
    if topic == "usage.events":
        return [UsageEvent(**fields) for fields in Envelopes().unpack(value)]
    return [codec(topic).decode(value)]


class FrontDoor:
    def __init__(self, settings: GatewaySettings = SETTINGS) -> None:
        self.outbox = MemoryOutbox()
        self.now = NOW
        self.app = assemble(settings, self.outbox, Topics("t-"), committed(), lambda: self.now)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        return asyncio.run(self._ask(method, path, body, headers or {}))

    def post(self, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, data, KEY if headers is None else headers)

    def on(self, topic: str) -> list[Any]:
        """Return the events that were sent to a topic, whichever way they were packed."""
        values = [record.value for record in self.outbox.records if record.topic == f"t-{topic}"]
        return [event for value in values for event in events_in(topic, value)]

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
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
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        await self.app(scope, receive, send)
        start, *rest = sent
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], answered, b"".join(part.get("body", b"") for part in rest))
