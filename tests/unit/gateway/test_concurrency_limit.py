"""More requests than the gateway processes at once, and bodies that never end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.app import assemble
from gateway.outbox.port import MemoryOutbox, OutgoingRecord
from gateway.settings import GatewaySettings
from schemas.codec.registry import committed
from schemas.topics import Topics
from tests.support.gateway_client import KEY, NOW, SETTINGS, basic

BODY = json.dumps({"userId": "u", "event": "e", "context": {"groupId": "g"}}).encode()


class SlowOutbox(MemoryOutbox):
    """Confirms only once it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = asyncio.Event()
        self.three = asyncio.Event()
        self.waiting = 0

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.waiting += 1
        if self.waiting == 3:
            self.three.set()
        await self.allowed.wait()
        await super().send(records)


async def request(
    app: Any, path: str, chunks: list[bytes | None], read: list[int], headers: dict[str, str] = KEY
) -> tuple[int, dict[str, str], bytes]:
    """Send one request; a chunk of None never arrives. ``read`` gets an item for each read of the body."""
    left, answers = list(chunks), []

    async def receive() -> dict[str, Any]:
        read.append(1)
        chunk = left.pop(0)
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST" if path.startswith("/v1") else "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in answers[0]["headers"]}
    return answers[0]["status"], answered, b"".join(message.get("body", b"") for message in answers[1:])


def gateway(outbox: MemoryOutbox, **bounds: Any) -> Any:
    settings = GatewaySettings(**(SETTINGS.model_dump() | bounds))
    return assemble(settings, outbox, Topics("t-"), committed(), lambda: NOW)


def test_requests_beyond_the_bound_are_refused_unread() -> None:
    async def crowd() -> None:
        outbox = SlowOutbox()
        app = gateway(outbox, max_requests=3)
        inside = [asyncio.create_task(request(app, "/v1/track", [BODY], [])) for _ in range(3)]
        await outbox.three.wait()
        read: list[int] = []
        status, headers, content = await request(app, "/v1/track", [BODY], read)
        assert (status, headers["retry-after"], json.loads(content)["code"]) == (503, "1", "busy")
        assert not read
        assert (await request(app, "/livez", [b""], []))[0] == 200
        outbox.allowed.set()
        await asyncio.gather(*inside)
        assert [task.result()[0] for task in inside] == [200, 200, 200]
        assert (await request(app, "/v1/track", [BODY], []))[0] == 200
        assert len(outbox.records) == 4

    asyncio.run(crowd())


def test_a_body_that_never_ends_is_given_up() -> None:
    async def drip() -> None:
        outbox = MemoryOutbox()
        app = gateway(outbox, max_requests=1, body_seconds=0.05)
        status, _, content = await request(app, "/v1/track", [BODY[:5], None], [])
        assert (status, json.loads(content)["code"]) == (408, "slow_body")
        assert (await request(app, "/v1/track", [BODY], []))[0] == 200
        assert len(outbox.records) == 1

    asyncio.run(drip())


def test_an_unknown_key_in_the_header_is_refused_unread() -> None:
    async def stranger() -> None:
        app = gateway(MemoryOutbox())
        for path in ("/v1/track", "/v1/batch", "/v1/events/usage.events"):
            read: list[int] = []
            status, _, _ = await request(app, path, [BODY], read, basic("nobody"))
            assert (status, read) == (401, [])

    asyncio.run(stranger())


@pytest.mark.parametrize("headers", [{}, KEY])
def test_slow_senders_take_no_place(headers: dict[str, str]) -> None:
    async def crowd() -> None:
        app = gateway(MemoryOutbox(), max_requests=2)
        slow = [asyncio.create_task(request(app, "/v1/batch", [b"{", None], [], headers)) for _ in range(50)]
        await asyncio.sleep(0)
        assert (await request(app, "/v1/track", [BODY], []))[0] == 200
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(crowd())


def test_the_slowest_body_is_given_up_when_all_hold_too_much_memory() -> None:
    async def crowd() -> None:
        app = gateway(MemoryOutbox(), max_requests=2, max_body_bytes=1_000)
        slow = [asyncio.create_task(request(app, "/v1/batch", [b" " * 900, None], [])) for _ in range(2)]
        await asyncio.sleep(0)
        status, _, _ = await request(app, "/v1/track", [BODY + b" " * 400], [])
        first, *_ = await asyncio.wait_for(slow[0], 10)
        assert (status, first, slow[1].done()) == (200, 503, False)
        slow[1].cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(crowd())
