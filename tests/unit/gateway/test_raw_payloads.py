"""Verified webhooks kept as they came, and what a mended mapping makes of them."""

from __future__ import annotations

import json
from dataclasses import replace as with_mapping
from typing import Any

import pytest
from msgspec.structs import replace

from bellbuoy.errors import ConfigError
from bellbuoy.operations.remap import RemapReport, correction_of, differing, webhook_source
from gateway.http.errors import Fault
from gateway.settings import GatewaySettings
from gateway.sources.registry import WEBHOOKS
from gateway.sources.samples import load_samples
from gateway.sources.source import WebhookSource
from schemas.records import InputEvent, RawPayload, SupportEvent, UsageEvent
from schemas.records.raw_payloads import made_digests
from tests.support.gateway_client import NOW, SETTINGS, GatewayClient, left_of

ZENDESK = webhook_source("zendesk")


def kept(source: WebhookSource = ZENDESK) -> tuple[RawPayload, list[InputEvent]]:
    """Return what is kept of a source's first sample, and the records that it became."""
    gateway = GatewayClient()
    sample = load_samples(source.name).samples[0]
    headers = {**sample.headers, "content-type": sample.media_type}
    assert gateway.webhook(source, sample.body, headers=headers).status == 200
    [payload] = gateway.sent("raw.payloads")
    return payload, gateway.sent(source.topic)


def mapped_by(change: Any) -> WebhookSource:
    """Return Zendesk with another mapping."""
    return with_mapping(ZENDESK, to_record=lambda *args: change(ZENDESK.to_record(*args)))


@pytest.mark.parametrize("source", WEBHOOKS, ids=lambda source: source.name)
def test_what_the_policy_leaves_of_a_verified_body_is_kept_with_its_records(source: WebhookSource) -> None:
    payload, _ = kept(source)
    sample = load_samples(source.name).samples[0]

    assert (payload.tenant, payload.source, payload.received_at) == ("acme", source.name, NOW)
    if sample.media_type == "application/json":
        assert json.loads(payload.body) == left_of(source, json.loads(sample.body))
    report = RemapReport()
    assert list(differing(source, payload, report)) == []
    assert report.same == len([name for name in sample.becomes if name])  # nothing differs from what was made
    assert not report.examples


def test_a_forged_one_is_not_kept() -> None:
    gateway = GatewayClient()
    gateway.post("/webhooks/zendesk/acme", load_samples("zendesk").samples[0].body, {})
    assert gateway.outbox.records == []


def test_a_retry_is_the_same_payload() -> None:
    first, _ = kept()
    again, _ = kept()
    assert first == again


def test_what_cannot_be_used_is_kept_too() -> None:
    gateway = GatewayClient()
    body = b'{"type": "zen:event-type:ticket.created", "id": "e", "time": "never", "detail": {"id": 1}}'
    gateway.webhook(ZENDESK, body)
    assert len(gateway.sent("raw.payloads")) == 1


def test_a_tenant_may_keep_none() -> None:
    tenants = {name: tenant.model_dump() | {"keep_raw": False} for name, tenant in SETTINGS.tenants.items()}
    gateway = GatewayClient(GatewaySettings.model_validate({"tenants": tenants}))
    sample = load_samples("zendesk").samples[0]
    assert gateway.webhook(ZENDESK, sample.body, headers=dict(sample.headers)).status == 200
    assert gateway.sent("raw.payloads") == []
    assert gateway.sent("support.events")


def test_what_a_mapping_left_out_is_new() -> None:
    payload, [event] = kept()
    report = RemapReport()
    assert list(differing(ZENDESK, replace(payload, made=b""), report)) == [event]
    assert (report.new, report.same) == (1, 0)


def test_what_differs_is_corrected_under_an_id_that_stays() -> None:
    payload, [event] = kept()
    mended = mapped_by(lambda record: replace(record, severity="urgent"))
    report = RemapReport()

    [sent] = differing(mended, payload, report)
    assert report.corrected == 1
    assert isinstance(sent, SupportEvent)
    assert (sent.severity, sent.occurred_at) == ("urgent", event.occurred_at + 1)
    assert sent.event_id != event.event_id
    assert list(differing(mended, payload, RemapReport())) == [sent]


def test_usage_that_differs_is_left() -> None:
    usage = UsageEvent(
        event_id="u", tenant="acme", account_id="a", source="zendesk", occurred_at=1, received_at=2, name="n"
    )
    payload, _ = kept()
    made = replace(payload, made=made_digests(usage))
    report = RemapReport()
    changed = replace(usage, name="other")
    assert list(differing(mapped_by(lambda _: changed), made, report)) == []
    assert report.left == 1


def test_what_still_cannot_be_used_is_said() -> None:
    def refuses(_: Any) -> Any:
        raise Fault("no", "/detail")

    payload, _ = kept()
    report = RemapReport()
    assert list(differing(mapped_by(refuses), payload, report)) == []
    assert report.examples[0]["pointer"] == "/detail"


def test_arrival_and_defaults_make_no_difference() -> None:
    event = UsageEvent(
        event_id="u", tenant="acme", account_id="a", source="s", occurred_at=1, received_at=2, name="n"
    )
    assert made_digests(event) == made_digests(replace(event, received_at=3))
    assert made_digests(event)[:8] == made_digests(replace(event, name="m"))[:8]
    assert made_digests(event) != made_digests(replace(event, name="m"))
    assert correction_of(event) == correction_of(event)


def test_a_source_without_webhooks_keeps_none() -> None:
    with pytest.raises(ConfigError, match="only those are kept raw"):
        webhook_source("segment")
