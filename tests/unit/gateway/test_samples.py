"""Every published payload of every source: what it becomes, what it moves, a forgery, a repetition."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.sources.registry import SOURCES, WEBHOOKS
from gateway.sources.samples import Sample, load_samples
from gateway.sources.source import Source, WebhookSource
from processors.measures import MEASURES
from processors.state.account import State
from processors.view import View
from schemas.inputs import BY_TOPIC, input_of
from tests.support.gateway_client import KEY, NOW, SERVER_KEY, GatewayClient, basic, new_secret, signature
from tests.support.vendor_accounts import Accounts

ROOT = Path(__file__).parents[3]
LATENCY_MS = 1_000

EVERY = pytest.mark.parametrize(
    ("source", "sample"),
    [
        pytest.param(source, sample, id=f"{source.name}-{sample.name}")
        for source in WEBHOOKS
        for sample in load_samples(source.name).samples
    ],
)


class Door:
    """A gateway that takes samples of one source, at their own times, and what became of them."""

    def __init__(self, source: WebhookSource) -> None:
        self.gateway = GatewayClient()
        self.source = source
        self.accounts = Accounts()
        self.seen: set[str] = set()
        self.last: list[Any] = []

    def send(self, sample: Sample) -> int:
        """Post a sample a second after it happened, and return when; fold what is new."""
        at = (sample.occurred_at() or NOW) + LATENCY_MS
        self.gateway.now = at
        self.gateway.outbox.records.clear()
        headers = {name: value.replace("{new}", sample.name) for name, value in sample.headers.items()}
        answer = self.gateway.webhook(self.source, sample.body, at=at, headers=headers)
        assert answer.status == 200, answer.json
        assert [letter.detail for letter in self.gateway.sent("events.deadletter")] == []
        self.last = [event for topic in BY_TOPIC for event in self.gateway.sent(topic)]
        new = [event for event in self.last if event.event_id not in self.seen]
        self.seen |= {event.event_id for event in new}
        self.accounts.fold(new)
        return at

    def states(self) -> dict[str, Any]:
        return dict(self.accounts.states)


KEYED = pytest.mark.parametrize(
    "source",
    [source for source in SOURCES if source not in WEBHOOKS],
    ids=lambda source: source.name,
)


@KEYED
def test_a_source_with_keys_is_proven_like_a_webhook(source: Source) -> None:
    samples = load_samples(source.name)
    assert samples.clients, "name the genuine clients with which the source is tested"
    assert any(sample.moves for sample in samples.samples), "show a measure that an event moves"
    for sample in samples.samples:
        gateway, accounts = GatewayClient(), Accounts()
        body, headers = sample.fresh(NOW - 60_000, "acme.example")
        keyless = body.replace(b"demo-write-key", b"forged")
        assert gateway.post(sample.path, keyless, headers | basic("forged")).status == 401
        assert gateway.post(sample.path, keyless, headers).status == 401
        assert not gateway.outbox.records

        key = SERVER_KEY if sample.scope == "server" else KEY
        body = body.replace(b"demo-write-key", b"key-1")
        for _ in range(2):
            assert gateway.post(sample.path, body, headers | key).status == 200
        first, again = [event for topic in BY_TOPIC for event in gateway.sent(topic)]
        assert first == again  # the same id, which the journal counts once
        [expected] = sample.becomes
        expected = dict(expected) | {"account_id": "acme.example"}
        assert input_of(first).topic == expected.pop("topic")
        assert {name: getattr(first, name) for name in expected} == expected
        assert first.occurred_at == NOW - 60_000
        accounts.fold([first])
        if sample.moves:
            before, after = State(), accounts.states["acme.example"]
            assert said(after, sample.moves, NOW) != said(before, sample.moves, NOW)


@pytest.mark.parametrize("source", WEBHOOKS, ids=lambda source: source.name)
def test_every_source_has_published_payloads(source: WebhookSource) -> None:
    samples = load_samples(source.name)
    assert samples.published.startswith("https://"), "say where the payloads were published"
    assert any(sample.moves for sample in samples.samples), "show a measure that an event moves"
    folder = ROOT / "gateway/sources" / source.name / "samples"
    listed = {one["file"] for one in tomllib.loads((folder / "samples.toml").read_text())["samples"]}
    assert {file.name for file in folder.iterdir()} == listed | {"samples.toml"} | (
        {"guide.md"} if samples.guide else set()
    )


@EVERY
def test_what_it_becomes(source: WebhookSource, sample: Sample) -> None:
    door = Door(source)
    door.send(sample)
    became = [
        {name: input_of(event).topic if name == "topic" else getattr(event, name) for name in expected}
        for event, expected in zip(door.last, sample.becomes, strict=True)
    ]
    assert became == list(sample.becomes)


@EVERY
def test_a_forged_one_is_refused(source: WebhookSource, sample: Sample) -> None:
    gateway = GatewayClient()
    headers = signature(source, "forged", sample.body) | dict(sample.headers)
    assert gateway.post(f"{source.path}/acme", sample.body, headers).status == 401
    if source.signature_scheme().covers_body:
        headers = signature(source, new_secret(source), sample.body) | dict(sample.headers)
        assert gateway.post(f"{source.path}/acme", sample.body + b" ", headers).status == 401
    assert not gateway.outbox.records


@EVERY
def test_a_repeated_one_counts_once(source: WebhookSource, sample: Sample) -> None:
    door, once = Door(source), Door(source)
    once.send(sample)
    for _ in range(3):
        door.send(sample)
    assert door.states() == once.states()


@EVERY
def test_what_it_moves(source: WebhookSource, sample: Sample) -> None:
    if sample.moves is None:
        pytest.skip("it moves nothing by itself")
    door, samples = Door(source), load_samples(source.name)
    for earlier in sample.before:
        door.send(samples.named(earlier))
    before = dict(door.accounts.states)
    account = next(iter(before), "")
    at = (sample.occurred_at() or NOW) + LATENCY_MS
    was = said(before.get(account, State()), sample.moves, at)
    door.send(sample)
    account = door.last[0].account_id
    assert said(door.accounts.states[account], sample.moves, at) != was


@EVERY
def test_a_fresh_one_happens_now(source: WebhookSource, sample: Sample) -> None:
    gateway = GatewayClient()
    for _ in range(2):
        body, headers = sample.fresh(NOW - 60_000, "acme.example")
        assert gateway.webhook(source, body, headers=headers).status == 200
    events = [event for topic in BY_TOPIC for event in gateway.sent(topic)]
    assert len(events) == 2 * len(sample.becomes)
    if sample.media_type == "application/json":
        assert all(abs(event.occurred_at - (NOW - 60_000)) <= 61_000 for event in events)


def said(state: State, moves: Any, at: int) -> str:
    """Return what a measure says of a state, or a fact of its profile."""
    if "measure" in moves:
        return MEASURES[moves["measure"]](View(state, at)).reason
    return repr(state.profile.get(moves["profile"]))
