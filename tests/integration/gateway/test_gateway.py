"""The gateway in a real uvicorn before a real Kafka: nothing acknowledged is lost, whoever fails."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from segment.analytics.client import Client
from stripe import WebhookSignature

from bellbuoy.local.embedded import Kafka
from bellbuoy.operations.kafka.topics import create_topics
from gateway.settings import GatewaySettings
from gateway.sources.signatures import SignedRequest
from gateway.sources.zendesk import SIGNATURE
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.gateway_client import SETTINGS
from tests.support.served_gateway import served_on_kafka as served
from tests.support.stored_events import stored_events
from tests.support.waiting import until

pytestmark = pytest.mark.services

KEY = ("key-1", "")


@pytest.fixture
def address(bootstrap: Connection, topics: Topics) -> Iterator[str]:
    with served(bootstrap, topics) as address:
        yield address


@pytest.mark.parametrize("gzip", [False, True])
def test_the_genuine_segment_client_needs_only_another_host(
    address: str, bootstrap: Connection, topics: Topics, gzip: bool
) -> None:
    faults: list[Any] = []
    client = Client(
        "key-1", host=address, gzip=gzip, max_retries=0, on_error=lambda *fault: faults.append(fault)
    )
    for n in range(100):
        place = {} if n in (7, 42, 99) else {"groupId": f"acct-{n % 9}"}
        client.track(f"u-{n}", "Report Exported", {"feature": "reports", "duration_ms": n}, context=place)
    client.group("u-1", "acct-1", {"name": "Acme", "arr": 1200, "seats": 12})
    client.page("u-1", "docs", "Pricing", context={"groupId": "acct-1"})
    client.identify("u-1", {"email": "u@acme.example"})
    client.flush()
    client.join()

    assert not faults
    usage = stored_events(bootstrap, topics, "usage.events")
    assert len(usage) == 101
    assert sorted(event.duration_ms for event in usage if event.name != "page") == list(range(100))
    aliases = {event.account_id for event in usage if event.account_id.startswith("~")}
    assert aliases == {"~user:u-7", "~user:u-42", "~user:u-99"}
    assert not stored_events(bootstrap, topics, "events.deadletter")
    (link,) = stored_events(bootstrap, topics, "account.links")
    assert (link.account_id, link.into) == ("~user:u-1", "acct-1")
    (profile,) = stored_events(bootstrap, topics, "account.profiles")
    assert (profile.account_id, profile.name, profile.arr_minor) == ("acct-1", "Acme", 120_000)


def test_the_genuine_client_hears_of_a_wrong_key(address: str) -> None:
    faults: list[Any] = []
    client = Client(
        "nobody", host=address, max_retries=0, on_error=lambda fault, _batch: faults.append(fault)
    )
    client.track("u", "e")
    client.flush()
    client.join()

    assert [(fault.status, fault.code) for fault in faults] == [(401, "unauthorized")]


def test_three_bad_of_a_hundred(address: str, bootstrap: Connection, topics: Topics) -> None:
    call: dict[str, Any] = {"type": "track", "userId": "u", "event": "e", "context": {"groupId": "g"}}
    batch = [call | {"messageId": f"m-{n}"} for n in range(100)]
    batch[3], batch[50], batch[99] = call | {"event": 7}, call | {"timestamp": "never"}, {"type": "track"}
    answer = httpx2.post(f"{address}/v1/batch", json={"batch": batch}, auth=KEY)

    assert (answer.status_code, answer.content) == (200, b'{"success": true}')
    assert len({event.event_id for event in stored_events(bootstrap, topics, "usage.events")}) == 97
    dead_letters = stored_events(bootstrap, topics, "events.deadletter")
    assert sorted(dead_letter.pointer for dead_letter in dead_letters) == ["/event", "/timestamp", "/userId"]
    assert {dead_letter.reason for dead_letter in dead_letters} == {"invalid"}
    assert all(json.loads(dead_letter.value) in batch for dead_letter in dead_letters)


def test_webhooks_as_the_vendors_sign_them(address: str, bootstrap: Connection, topics: Topics) -> None:
    invoice = {"id": "in_1", "customer": "cus_1", "amount_due": 900, "currency": "usd"}
    event = {"id": "evt_1", "object": "event", "type": "invoice.payment_failed", "created": int(time.time())}
    body = json.dumps(event | {"data": {"object": invoice}})
    header = WebhookSignature.generate_signature_header(body, "stripe-new")
    answer = httpx2.post(
        f"{address}/webhooks/stripe/acme", content=body, headers={"Stripe-Signature": header}
    )
    forged = httpx2.post(
        f"{address}/webhooks/stripe/acme", content=body + " ", headers={"Stripe-Signature": header}
    )

    assert (answer.status_code, forged.status_code) == (200, 401)
    (bill,) = stored_events(bootstrap, topics, "billing.events")
    assert (bill.kind, bill.account_id, bill.amount_minor) == ("payment_failed", "cus_1", 900)

    ticket = {
        "id": "z-1",
        "type": "zen:event-type:ticket.created",
        "detail": {"id": "5", "organization_id": "8"},
    }
    content, stamp = json.dumps(ticket).encode(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = SIGNATURE.headers("zendesk-old", stamp, SignedRequest("", content))

    assert httpx2.post(f"{address}/webhooks/zendesk/acme", content=content, headers=signed).status_code == 200
    assert [step.kind for step in stored_events(bootstrap, topics, "support.events")] == ["opened"]


def test_many_clients_at_once_lose_nothing(address: str, bootstrap: Connection, topics: Topics) -> None:
    def client(name: int) -> None:
        with httpx2.Client(auth=KEY) as http:
            for n in range(20):
                call = {"type": "track", "userId": "u", "event": "e", "context": {"groupId": f"g-{n}"}}
                batch = [call | {"messageId": f"{name}-{n}-{i}"} for i in range(50)]
                assert http.post(f"{address}/v1/batch", json={"batch": batch}, timeout=30).status_code == 200

    threads = [threading.Thread(target=client, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = stored_events(bootstrap, topics, "usage.events")
    assert len(events) == len({event.event_id for event in events}) == 4 * 20 * 50


def test_readiness_names_what_is_missing(address: str, bootstrap: Connection, topics: Topics) -> None:
    assert httpx2.get(f"{address}/readyz").json() == {"ready": True, "role": "gateway", "failing": {}}
    with served(bootstrap, Topics("absent-")) as other:
        answer = httpx2.get(f"{other}/readyz")
    assert answer.status_code == 503
    assert "absent-usage.events" in answer.json()["failing"]["kafka"]


def test_kafka_away_is_503_with_retry_after() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = SETTINGS.model_copy(update={"delivery_timeout_seconds": 1.0})
    call = {"userId": "u", "event": "e", "context": {"groupId": "g"}}
    with served(Connection(f"127.0.0.1:{port}"), Topics(), settings) as address:
        answer = httpx2.post(f"{address}/v1/track", json=call, auth=KEY, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert httpx2.get(f"{address}/readyz", timeout=60).status_code == 503
        assert httpx2.get(f"{address}/livez").status_code == 200


def test_a_full_buffer_is_503_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = SETTINGS.model_copy(update={"delivery_timeout_seconds": 8.0, "max_waiting_events": 10})
    call = {"type": "track", "userId": "u", "event": "e", "context": {"groupId": "g"}}
    answers: list[Any] = []
    with served(Connection(f"127.0.0.1:{port}"), Topics(), settings) as address:

        def post() -> None:
            answers.append(
                httpx2.post(f"{address}/v1/batch", json={"batch": [call] * 10}, auth=KEY, timeout=60)
            )

        first = threading.Thread(target=post)
        first.start()
        until(lambda: b"bellbuoy_ingest_waiting_events 10.0" in httpx2.get(f"{address}/metrics").content)
        post()  # answered before the first
        assert (answers[0].status_code, answers[0].json()["code"]) == (503, "busy")
        assert answers[0].headers["retry-after"] == "1"
        first.join()
    assert answers[1].json()["code"] == "unavailable"


def test_kafka_that_comes_back_is_used_again(tmp_path: Path) -> None:
    kafka, topics = Kafka(tmp_path), Topics()
    settings = SETTINGS.model_copy(update={"delivery_timeout_seconds": 2.0})
    call = {"messageId": "m", "userId": "u", "event": "e", "context": {"groupId": "g"}}
    kafka.start()
    try:
        create_topics(kafka.connection, topics)
        with served(kafka.connection, topics, settings) as address:

            def post() -> int:
                return httpx2.post(f"{address}/v1/track", json=call, auth=KEY, timeout=60).status_code

            assert post() == 200
            kafka.stop()
            assert post() == 503
            kafka = Kafka(tmp_path, port=kafka.port)
            kafka.start()
            until(lambda: post() == 200)
        assert {event.event_id for event in stored_events(kafka.connection, topics, "usage.events")} == {"m"}
    finally:
        kafka.stop()


def test_ten_times_too_much_loses_nothing_that_was_acknowledged(
    bootstrap: Connection, topics: Topics
) -> None:
    settings = GatewaySettings(**(SETTINGS.model_dump() | {"max_requests": 8, "max_waiting_events": 400}))
    answers: list[tuple[int, str | None, list[str]]] = []

    async def client(number: int, http: httpx2.AsyncClient, address: str) -> None:
        for turn in range(6):
            ids = [f"{number}-{turn}-{event}" for event in range(50)]
            calls = [
                {"type": "track", "messageId": i, "userId": "u", "event": "e", "context": {"groupId": "g"}}
                for i in ids
            ]
            answer = await http.post(f"{address}/v1/batch", json={"batch": calls}, auth=KEY, timeout=60)
            answers.append((answer.status_code, answer.headers.get("retry-after"), ids))

    async def crowd(address: str) -> None:
        limits = httpx2.Limits(max_connections=80)
        async with httpx2.AsyncClient(limits=limits) as http, asyncio.TaskGroup() as clients:
            for number in range(80):
                clients.create_task(client(number, http, address))

    with served(bootstrap, topics, settings) as address:
        asyncio.run(crowd(address))
        assert (
            httpx2.post(f"{address}/v1/track", json={"userId": "u", "event": "e"}, auth=KEY).status_code
            == 200
        )
    taken = {event_id for status, _, ids in answers if status == 200 for event_id in ids}
    refused = [retry for status, retry, _ in answers if status != 200]
    assert {status for status, _, _ in answers} == {200, 503}
    assert all(refused)
    assert taken <= {event.event_id for event in stored_events(bootstrap, topics, "usage.events")}
