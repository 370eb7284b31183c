"""The documents that say what the gateway accepts, and judging without keeping."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.sources.registry import WEBHOOKS
from schemas.inputs import OFFERED_TOPICS
from tests.support.gateway_client import KEY, SERVER_KEY, GatewayClient, encoded

TICKET = {"event_id": "e-1", "account_id": "acme-inc", "ticket_id": "t-1", "kind": "opened"}


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


def test_the_openapi_document_is_valid_and_has_every_route(gateway: GatewayClient) -> None:
    document = gateway.request("GET", "/v1/openapi.json").json
    validate(document)
    said = set(document["paths"])
    assert {f"/v1/events/{topic}" for topic in OFFERED_TOPICS} <= said
    assert {f"{source.path}/{{tenant}}" for source in WEBHOOKS} <= said
    routes = {route.path for route in gateway.app.routes}
    assert {path for path in said if not path.startswith("/v1/events/")} <= routes


def test_the_contract_has_every_source_with_examples(gateway: GatewayClient) -> None:
    contract = gateway.request("GET", "/v1/contracts").json
    sources = {one["name"]: one for one in contract["sources"]}
    assert {source.name for source in WEBHOOKS} | {"segment", "posthog", "cloudevents"} == set(sources)
    assert all(one["examples"] and one["published"] for one in sources.values())
    assert set(contract["topics"]) == set(OFFERED_TOPICS)
    assert "kind" in contract["topics"]["support.events"]["required"]


@pytest.mark.parametrize("path", ["/v1/events/support.events", "/v1/events"])
def test_a_dry_run_judges_and_keeps_nothing(gateway: GatewayClient, path: str) -> None:
    own: dict[str, Any] = {"topic": "support.events"} if path == "/v1/events" else {}
    answer = gateway.post(f"{path}?dry_run=true", [TICKET | own, TICKET | own | {"kind": "exploded"}])
    assert (answer.status, answer.json["dry_run"], answer.json["pointer"]) == (207, True, "/1/kind")
    assert not gateway.outbox.records
    assert gateway.post("/v1/arrivals", b"", SERVER_KEY).status == 405


def test_who_watches_is_told_what_became_of_each_event(gateway: GatewayClient) -> None:
    assert asyncio.run(_watched(gateway)) == [
        ("accepted", "acme-inc", None),
        ("dead letter", None, "/timestamp"),
    ]
    assert gateway.request("GET", "/v1/arrivals", b"", KEY).status == 403


async def _watched(gateway: GatewayClient) -> list[tuple[Any, Any, Any]]:
    """Watch the tenant while a batch arrives; return what was told of its two events."""
    lines: list[Any] = []
    begun, told = asyncio.Event(), asyncio.Event()

    async def receive() -> Any:
        await told.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        begun.set()
        lines.extend(json.loads(line) for line in message.get("body", b"").splitlines() if line)
        if len(lines) == 2:
            told.set()

    headers = [(name.encode(), value.encode()) for name, value in SERVER_KEY.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/v1/arrivals",
        "raw_path": b"/v1/arrivals",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": headers,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    watcher = asyncio.create_task(gateway.app(scope, receive, send))
    await begun.wait()
    await asyncio.sleep(0)
    good = {"type": "track", "userId": "u", "event": "e", "context": {"groupId": "acme-inc"}}
    batch = {"batch": [good, good | {"timestamp": "lately"}]}
    while not told.is_set():
        await gateway._request("POST", "/v1/batch", encoded(batch), KEY)
        await asyncio.sleep(0.01)
    await watcher
    return [(one["became"], one.get("account_id"), one.get("pointer")) for one in lines[:2]]
