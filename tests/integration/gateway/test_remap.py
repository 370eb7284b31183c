"""A mended mapping maps kept webhooks again: each record once, through a real Kafka; and an erasure."""

from __future__ import annotations

from dataclasses import replace as with_mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from bellbuoy.operations.forget.matching import SubjectMatcher
from bellbuoy.operations.forget.subject import ForgottenSubject
from bellbuoy.operations.forget.topic_erasure import rewrite_topic
from bellbuoy.operations.forget.topic_scan import scan_topics
from bellbuoy.operations.remap import remap, webhook_source
from bellbuoy.times import now
from gateway.settings import GatewaySettings
from gateway.sources.samples import load_samples
from gateway.sources.signatures import SignedRequest
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.changelog import read_topic
from tests.support.role_processes import role_settings
from tests.support.served_gateway import served_on_kafka
from tests.support.stored_events import stored_events

pytestmark = pytest.mark.services
ZENDESK = webhook_source("zendesk")


def test_what_differs_is_sent_once(bootstrap: Connection, topics: Topics, tmp_path: Path) -> None:
    settings = role_settings(bootstrap, topics, tmp_path)
    sample = load_samples("zendesk").samples[0]
    body, headers = sample.fresh(now(), "acme-inc")
    with served_on_kafka(bootstrap, topics, GatewaySettings()) as address:
        url = f"{address}/webhooks/zendesk/demo"
        proof = ZENDESK.signature_scheme().sign(ZENDESK.demo_secret, SignedRequest(url, body), now())
        for _ in range(2):
            assert httpx2.post(url, content=body, headers=headers | proof).status_code == 200

    def stored() -> list[Any]:
        return stored_events(bootstrap, topics, "support.events")

    before = stored()
    same = remap(settings, ZENDESK, since=0)
    assert (same.payloads, same.same, same.new, same.corrected) == (1, len(before) // 2, 0, 0)
    assert stored() == before

    mended = with_mapping(
        ZENDESK, to_record=lambda *given: replace(ZENDESK.to_record(*given), severity="urgent")
    )
    assert remap(settings, mended, since=0, dry_run=True).corrected == 1
    assert stored() == before
    for _ in range(2):
        assert remap(settings, mended, since=0).corrected == 1
    corrected = [event for event in stored() if event not in before]
    assert {event.severity for event in corrected} == {"urgent"}
    assert len({event.event_id for event in corrected}) == 1
    assert remap(settings, mended, since=now() + 60_000).payloads == 0

    account = before[0].account_id
    subject = ForgottenSubject(tenant="demo", account_ids=[account])
    matcher = SubjectMatcher(subject, topics, committed())
    hits = {found.topic: found for found in scan_topics(settings, matcher, now(), lambda _: None)}
    assert hits["raw.payloads"].records == 2
    assert rewrite_topic(settings, hits["raw.payloads"], matcher) == 0
    assert list(read_topic(bootstrap, topics.name("raw.payloads"))) == []
    assert remap(settings, mended, since=0).payloads == 0
