"""No request makes the gateway fail, whatever its bytes are, and no event is lost in it."""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.http.json_decoding import well_formed
from gateway.sources import stripe, zendesk
from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from schemas.inputs import OFFERED_TOPICS
from tests.support.gateway_client import NOW, SERVER_KEY, GatewayClient, new_secret, signature

CALLS = ("track", "identify", "group", "page", "screen", "alias")
PATHS = [f"/v1/{call}" for call in (*CALLS, "batch")] + [f"/v1/events/{topic}" for topic in OFFERED_TOPICS]
TAKEN = {200, 207, 400, 413}

texts = st.text(st.characters(exclude_categories=()), max_size=8)
numbers = st.one_of(
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.just(10**400),
    st.floats(),
    st.sampled_from([2**31, 2**63, -1, 0]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, st.just("\0"), st.just("\ud800"))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
times = st.one_of(
    scalars,
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(["0000-00-00", "9999999", NOW]),
)


def objects(*names: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values) | fields)


calls = objects(
    "messageId",
    "userId",
    "anonymousId",
    "previousId",
    "groupId",
    "event",
    "name",
    "category",
    type=st.sampled_from(CALLS) | values,
    timestamp=times,
    sentAt=times,
    context=objects("groupId", "library") | values,
    properties=objects("groupId", "name", "feature", "category", "duration_ms", "latency_ms", "error")
    | values,
    traits=objects("name", "arr", "arr_minor", "currency", "seats", "website", "domain", "parent_id", "owner")
    | values,
)
plausible = calls.map(lambda call: {"userId": "u", "event": "e", "context": {"groupId": "g"}} | call)
batches = objects(
    "writeKey", sentAt=times, context=values, batch=st.lists(plausible | calls | values, max_size=6)
)
typed = objects(
    "event_id",
    "account_id",
    "tenant",
    "source",
    "ticket_id",
    "survey_id",
    "alert_id",
    "user_id",
    "author",
    "name",
    "subject",
    "severity",
    "csat",
    "score",
    "currency",
    "amount_minor",
    "seats",
    "duration_ms",
    "into",
    "domain",
    kind=st.sampled_from(["opened", "rated", "nps", "ces", "touch", "invoice_paid", "acknowledged"]) | values,
    occurred_at=times,
    due_at=times,
).map(lambda event: {"event_id": "e", "account_id": "a"} | event)
bodies = st.one_of(plausible, batches, typed, st.lists(typed, max_size=4), values).map(
    lambda body: json.dumps(body).encode()
)


def sound(gateway: GatewayClient) -> int:
    """Decode every record that was sent; return how many there are but the webhooks kept as they came."""
    topics = {record.topic.removeprefix("t-") for record in gateway.outbox.records}
    events = {topic: len(gateway.sent(topic)) for topic in topics}
    return sum(number for topic, number in events.items() if topic != "raw.payloads")


@given(path=st.sampled_from(PATHS), body=bodies | st.binary(max_size=64), packed=st.booleans())
@example(path="/v1/batch", body=b'{"batch":[' + b"[" * 5000 + b"]" * 5000 + b"]}", packed=False)
@example(path="/v1/track", body=json.dumps({"userId": 10**400}).encode(), packed=True)
@settings(max_examples=600, deadline=None)
def test_no_input_makes_it_fail(path: str, body: bytes, packed: bool) -> None:
    gateway = GatewayClient()
    answer = gateway.post(
        path,
        gzip.compress(body) if packed else body,
        SERVER_KEY | ({"content-encoding": "gzip"} if packed else {}),
    )

    assert answer.status in TAKEN
    if answer.status >= 400:
        assert isinstance(answer.json["message"], str)
        assert answer.json["pointer"] == "" or answer.json["pointer"].startswith("/")
        assert not gateway.outbox.records
    assert sound(gateway) == sum(record.events for record in gateway.outbox.records)


@given(
    path=st.sampled_from(PATHS),
    body=st.binary(max_size=200),
    encoding=st.sampled_from(["gzip", "br", "", "identity"]),
)
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_it_fail(path: str, body: bytes, encoding: str) -> None:
    assert GatewayClient().post(path, body, SERVER_KEY | {"content-encoding": encoding}).status in TAKEN | {
        415
    }


@given(
    authorization=st.text(st.characters(max_codepoint=255), max_size=20),
    prefix=st.sampled_from(["", "Basic ", "Bearer "]),
)
@settings(max_examples=200, deadline=None)
def test_no_header_lets_a_stranger_in(authorization: str, prefix: str) -> None:
    answer = GatewayClient().post("/v1/track", {"userId": "u"}, {"authorization": prefix + authorization})

    assert answer.status == 401


@given(items=st.lists(plausible | calls | values, max_size=8))
@settings(max_examples=300, deadline=None)
def test_every_event_of_a_batch_is_kept_or_becomes_a_dead_letter(items: list[Any]) -> None:
    gateway = GatewayClient()
    try:
        body = json.dumps({"batch": items}, allow_nan=False).encode()
    except ValueError:
        return
    answer = gateway.post("/v1/batch", body)

    usage = "t-usage.events"  # several of one account share a record
    others = sum(record.topic not in (usage, "t-account.links") for record in gateway.outbox.records)
    silent = len(items) - others - len(gateway.sent("usage.events"))
    said_nothing = [
        item for item in items if isinstance(item, dict) and item.get("type") in ("identify", "alias")
    ]
    assert answer.status in (200, 400)
    assert answer.status == 400 or 0 <= silent <= len(said_nothing)


@given(body=st.text(max_size=80).map(str.encode) | bodies, source=st.sampled_from(WEBHOOKS))
@settings(max_examples=300, deadline=None)
def test_no_signed_webhook_makes_it_fail(body: bytes, source: WebhookSource) -> None:
    assert GatewayClient().webhook(source, body).status in (200, 400)


stripe_objects = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "id",
            "customer",
            "metadata",
            "subscription",
            "parent",
            "amount_due",
            "currency",
            "due_date",
            "charge",
        ),
        values,
    )
    | {
        "items": values
        | objects(data=st.lists(objects("price", "quantity", "current_period_end"), max_size=3)),
        "cancel_at": values,
        "cancel_at_period_end": values,
    },
)


@given(
    obj=stripe_objects,
    previous=stripe_objects | values,
    created=numbers,
    kind=st.sampled_from(["invoice.paid", "customer.subscription.updated", "charge.dispute.created"]),
)
@settings(max_examples=300, deadline=None)
def test_no_stripe_object_is_lost(obj: dict[str, Any], previous: Any, created: Any, kind: str) -> None:
    data = {"object": {"id": "x", "customer": "cus"} | obj, "previous_attributes": previous}
    event = {"id": "evt", "object": "event", "type": kind, "created": created, "data": data}
    gateway = GatewayClient()
    answer = gateway.webhook(stripe.SOURCE, event)

    assert answer.status in (200, 400)
    assert answer.status == 400 or sound(gateway) == 1


@given(
    detail=objects("id", "organization_id", "priority", "subject") | values,
    change=objects("current", "previous", "comment", "satisfaction_score") | values,
    time=times,
    name=st.sampled_from(["created", "status_changed", "priority_changed", "comment_added", "csat_received"]),
)
@settings(max_examples=300, deadline=None)
def test_no_ticket_event_makes_it_fail(detail: Any, change: dict[str, Any], time: Any, name: str) -> None:
    event = {
        "id": "e",
        "type": f"zen:event-type:ticket.{name}",
        "time": time,
        "detail": detail,
        "event": change,
    }
    gateway = GatewayClient()

    assert gateway.webhook(zendesk.SOURCE, event).status in (200, 400)
    assert sound(gateway) == len(gateway.made) <= 1


@given(
    source=st.sampled_from([source for source in WEBHOOKS if source.signature_scheme().covers_body]),
    part=st.integers(0, 10),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
@settings(max_examples=600, deadline=None)
def test_any_flipped_bit_of_a_webhook_is_refused(source: WebhookSource, part: int, at: int, bit: int) -> None:
    """Flip a bit of the body, or of one of the headers that sign it."""
    body = b'{"id": "e", "object": "event", "type": "customer.created", "created": 1, "data": {}}'
    headers = signature(source, new_secret(source), body)
    name = [None, *headers][part % (1 + len(headers))]
    if name is None:
        body = flip(body, at, bit)
    else:
        headers[name] = flip(headers[name].encode(), at, bit).decode("latin-1")

    assert GatewayClient().post(f"{source.path}/acme", body, headers).status == 401


@given(value=values)
@settings(max_examples=300, deadline=None)
def test_repaired_text_is_the_same_but_for_lone_surrogates(value: Any) -> None:
    text = json.dumps(value)
    repaired = json.loads(well_formed(text.encode()))

    json.dumps(repaired, ensure_ascii=False).encode()
    assert lone(value) or repr(repaired) == repr(json.loads(text))


def lone(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def flip(data: bytes, at: int, bit: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
