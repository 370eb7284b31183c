"""What each source keeps: nothing that its rules drop or hash is in any record, whatever arrives."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonpointer import set_pointer
from pydantic import ValidationError

from gateway.field_policy import FieldHasher, FieldPolicy, FieldRules
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.port import MemoryOutbox
from gateway.outbox.request_records import RequestRecords
from gateway.privacy import PUBLISHED_KEY, PrivacySettings, field_rules
from gateway.pulls.pull import KIND, PullSource
from gateway.pulls.registry import PULLS
from gateway.sources.registry import SOURCES, WEBHOOKS
from gateway.sources.samples import Sample, load_samples
from gateway.sources.source import Source, WebhookSource
from gateway.sources.typed import TOPIC_HEADER
from schemas.codec.registry import committed
from schemas.topics import Topics
from tests.support.gateway_client import KEY, NOW, SERVER_KEY, GatewayClient, left_of, new_secret, signature

SAMPLED = (*SOURCES, *PULLS)
EVERY = pytest.mark.parametrize(
    ("source", "sample"),
    [
        pytest.param(source, sample, id=f"{source.name}-{sample.name}")
        for source in SAMPLED
        for sample in load_samples(source.name, "pulls" if source in PULLS else "sources").samples
        if sample.media_type == "application/json"
    ],
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, (*path, str(number)))
    else:
        yield path, value


def planted(source: Source, event: Any) -> tuple[Any, list[bytes]]:
    """Return an event with a text of its own in every field that is not kept, and those texts."""
    numbers = itertools.count()
    kept = dict(leaves(left_of(source, event)))
    secrets: list[bytes] = []

    def value_of(path: tuple[str, ...], value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if path in kept and (kept[path] == value or not isinstance(value, str)):
            return value
        secret = f"zq{next(numbers)}zq"
        secrets.append(secret.encode())
        return f"{secret}@acme.example" if isinstance(value, str) and "@" in value else secret

    def walk(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            new = {name: walk(each, (*path, name)) for name, each in value.items()}
            extra = left_of(source, _at(path, "zzNew", event))
            if "zzNew" not in json.dumps(extra):
                new["zzNew"] = value_of((*path, "zzNew"), "x")
            return new
        if isinstance(value, list):
            return [walk(each, (*path, str(number))) for number, each in enumerate(value)]
        return value_of(path, value)

    return walk(event, ()), secrets


def _at(path: tuple[str, ...], name: str, event: Any) -> Any:
    """Return an event with one more field."""
    changed = json.loads(json.dumps(event))
    pointer = "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in (*path, name))
    return set_pointer(changed, pointer, "x")


def written(source: Source, sample: Sample, body: bytes) -> list[bytes]:
    """Return the key and value of every record that is made of a body."""
    if isinstance(source, PullSource):
        return pulled(source, sample, body)
    gateway = GatewayClient()
    if isinstance(source, WebhookSource):
        headers = signature(source, new_secret(source), body) | dict(sample.headers)
        gateway.post(f"{source.path}/acme", body, headers)
    else:
        key = SERVER_KEY if sample.scope == "server" else KEY
        gateway.post(sample.path, body.replace(b"demo-write-key", b"key-1"), dict(sample.headers) | key)
    return [part for record in gateway.outbox.records for part in (record.key, record.value)]


def pulled(source: PullSource, sample: Sample, body: bytes) -> list[bytes]:
    """Do what the poller does with an item, without Kafka."""
    outbox, sender = MemoryOutbox(), Sender("acme", source.name, NOW)
    dispatcher = Dispatcher(outbox, Topics("t-"), committed(), fields=PrivacySettings().policies())
    records, said = RequestRecords(sender), {KIND: sample.headers[KIND].encode()}
    try:
        event = source.to_record(dispatcher.fields.of(sender).apply(body), sender, said)
        if event is not None:
            dispatcher.accept(records, event)
    except Fault as fault:
        dispatcher.add_dead_letter(records, source.topics[sample.headers[KIND]], body, fault, said)
    return [part for record in records.records for part in (record.key, record.value)]


@EVERY
def test_nothing_that_is_not_kept_is_written(source: Source, sample: Sample) -> None:
    event, secrets = planted(source, json.loads(sample.body))
    assert secrets or source.fields.kept == ("",)
    for body in (event, *broken(sample, event)):
        records = b"".join(written(source, sample, json.dumps(body).encode()))
        assert [secret for secret in secrets if secret in records] == []


def broken(sample: Sample, event: Any) -> Iterator[Any]:
    """Yield the event with a time that is none, and without an account: it becomes a dead letter."""
    for pointer in (*sample.times[:1], *([sample.account] if sample.account else ())):
        copy = json.loads(json.dumps(event))
        yield set_pointer(copy, pointer, {"no": "such"})


@EVERY
def test_the_mapping_needs_no_more_than_is_kept(source: Source, sample: Sample) -> None:
    """The same record follows from what is left, but for free text."""
    sender = Sender("acme", source.name, (sample.occurred_at() or NOW) + 1_000)
    policy = PrivacySettings().policies().of(sender)
    headers = {name: value.encode() for name, value in sample.headers.items()}
    for raw in source.split(sample.body) if isinstance(source, WebhookSource) else [sample.body]:
        whole = _mapped(source, raw, sender, headers)
        left = _mapped(source, policy.apply(raw), sender, headers)
        differ = {name for name in whole if whole[name] != left.get(name)}
        assert differ <= {"subject", "comment", "event_id"}


def _mapped(source: Source, raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> dict[str, Any]:
    by_path = {"segment": {"bellbuoy-call": b"track"}, "api": {TOPIC_HEADER: b"support.events"}}
    headers = dict(headers) | by_path.get(source.name, {})
    record = source.to_record(raw, sender, headers)
    return {} if record is None else {name: getattr(record, name) for name in record.__struct_fields__}


def test_a_form_is_kept_as_what_is_left_of_it() -> None:
    source = next(each for each in WEBHOOKS if each.name == "wootric")
    gateway = GatewayClient()
    body = (
        load_samples("wootric").named("response_created_form").body + b"&response[text]=Dreadful&x=Dreadful"
    )
    assert gateway.webhook(source, body).status == 200
    assert len(gateway.outbox.records) == 2
    assert not any(b"Dreadful" in record.value for record in gateway.outbox.records)


def test_a_tenant_may_keep_a_text_or_drop_an_id() -> None:
    privacy = PrivacySettings.model_validate(
        {
            "hash_key": "0123456789abcdef",
            "tenants": {
                "acme": {
                    "zendesk": {"/detail/subject": "keep", "/detail/tags": "drop"},
                    "segment": {"/userId": "hash", "/properties/feature": "keep"},
                    "api": {"/comment": "drop", "/user_id": "hash"},
                }
            },
        }
    )
    gateway = GatewayClient(privacy=privacy)
    zendesk = next(each for each in WEBHOOKS if each.name == "zendesk")
    gateway.webhook(zendesk, load_samples("zendesk").named("created").body)
    assert gateway.sent("support.events")[0].subject == "cannot log in"
    assert b'"tags"' not in gateway.sent("raw.payloads")[0].body

    call = {"event": "e", "userId": "ann@acme.example", "context": {"groupId": "g"}}
    gateway.post("/v1/track", call)
    gateway.post("/v1/batch", {"batch": [call | {"type": "track"}]})
    hashed = FieldHasher("0123456789abcdef", "acme").hashed("ann@acme.example")
    assert hashed.endswith("@acme.example")
    assert [event.user_id for event in gateway.sent("usage.events")] == [hashed, hashed]

    answer = {"event_id": "s", "account_id": "a", "survey_id": "s", "kind": "nps", "score": 9}
    gateway.post("/v1/events/survey.responses", answer | {"comment": "Fine", "user_id": "ann@acme.example"})
    [response] = gateway.sent("survey.responses")
    assert (response.comment, response.user_id) == (None, hashed)


def test_one_person_is_the_same_in_every_source() -> None:
    hasher = FieldHasher(PUBLISHED_KEY, "acme")
    assert hasher.hashed(" Ann@Acme.example") == hasher.hashed("ann@acme.example")
    assert hasher.hashed("ann@acme.example") != hasher.hashed("bob@acme.example")
    assert hasher.values({"a": [7, None, True], "b": "x"}) == {
        "a": [hasher.hashed("7"), None, True],
        "b": hasher.hashed("x"),
    }


def test_what_is_no_json_is_dropped_whole() -> None:
    policy = FieldPolicy(FieldRules(kept=("/a",)), FieldHasher("k", "t"), {})
    for raw in (b"{", b"\xff", b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"):
        assert policy.apply_or_empty(raw) == b""


@pytest.mark.parametrize(
    ("tenants", "says"),
    [
        ({"acme": {"zendesc": {"/a": "keep"}}}, "'zendesc' is no source: there are api, chargebee"),
        ({"acme": {"zendesk": {"detail": "keep"}}}, "'detail' of zendesk is no field: write a JSON pointer"),
        ({"acme": {"hubspot": {"/0/eventId": "keep"}}}, "without the numbers of list items"),
        ({"acme": {"zendesk": {"/detail/id": "drop"}}}, "'/detail/id' of zendesk can't be dropped"),
        ({"acme": {"zendesk": {"/id": "hash"}}}, "can't be hashed"),
        ({"acme": {"zendesk": {"/a": "burn"}}}, "Input should be 'keep', 'hash' or 'drop'"),
        ({"a b": {}}, "'a b' is no tenant"),
    ],
)
def test_what_cannot_be_set_is_said(tenants: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PrivacySettings.model_validate({"tenants": tenants})


def test_every_source_says_what_it_keeps() -> None:
    assert set(field_rules()) == {source.name for source in (*SOURCES, *PULLS)}
    for name, rules in field_rules().items():
        pointers = [pointer for pointer, _ in rules.actions()]
        assert len(pointers) == len(set(pointers)), name
        assert all(pointer == "" or pointer.startswith("/") for pointer in pointers), name


def test_an_erasure_knows_the_hash_that_may_stand_for_a_person() -> None:
    hashes = {"tenants": {"acme": {"segment": {"/userId": "hash"}}}}
    privacy, hasher = PrivacySettings.model_validate(hashes), FieldHasher(PUBLISHED_KEY, "acme")
    assert privacy.hash_of("acme", "user-7") == hasher.hashed("user-7")
    assert PrivacySettings().hash_of("acme", "user-7") is None
    assert PrivacySettings().hash_of("acme", "ann@acme.example") == hasher.hashed("ann@acme.example")
