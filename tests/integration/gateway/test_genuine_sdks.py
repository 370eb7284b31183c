"""Genuine SDKs of several vendors at one gateway, with only another host."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from cloudevents.v1.http import CloudEvent, to_binary, to_structured
from posthog import Posthog
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from gateway.settings import GatewaySettings
from tests.support.served_gateway import Server, served

PROPERTIES = {"feature": "reports", "duration_ms": 1200}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Server]:
    with served(GatewaySettings()) as server:
        yield server


def segment(url: str) -> None:
    client = SegmentClient("demo-write-key", host=url, gzip=True)
    client.track("user-7", "by segment", PROPERTIES, context={"groupId": "acme-inc"})
    client.group("user-7", "acme-inc", {"name": "Acme"})
    client.shutdown()


def rudderstack(url: str) -> None:
    client = RudderClient("demo-write-key", host=url)
    client.track("user-7", "by rudderstack", PROPERTIES, context={"groupId": "acme-inc"})
    client.group("user-7", "acme-inc", {"name": "Acme"})
    client.flush()
    client.join()


def posthog(url: str) -> None:
    client = Posthog("demo-write-key", host=url, disable_geoip=True)
    client.capture("by posthog", distinct_id="user-7", properties=PROPERTIES, groups={"company": "acme-inc"})
    client.group_identify("company", "acme-inc", {"name": "Acme"})
    client.shutdown()


def cloudevents(url: str) -> None:
    for number, mode in enumerate((to_structured, to_binary)):
        attributes = {
            "id": f"c-{number}",
            "source": "reports",
            "type": "by cloudevents",
            "subject": "acme-inc",
        }
        headers, body = mode(CloudEvent(attributes, {"user_id": "user-7"} | PROPERTIES))
        answer = httpx2.post(
            f"{url}/v1/cloudevents", content=body, headers=headers, auth=("demo-server-key", "")
        )
        assert answer.json()["accepted"] == 1


@pytest.mark.parametrize(
    ("send", "times", "profiles"),
    [(segment, 1, 1), (rudderstack, 1, 1), (posthog, 1, 1), (cloudevents, 2, 0)],
)
def test_what_the_sdk_sends_arrives(gateway: Server, send: Any, times: int, profiles: int) -> None:
    gateway.outbox.records.clear()
    send(gateway.url)
    used = gateway.sent("usage.events")
    assert len(used) == times
    for event in used:
        assert (event.account_id, event.user_id, event.name) == ("acme-inc", "user-7", f"by {send.__name__}")
        assert (event.feature, event.duration_ms) == ("reports", 1200)
    names = [profile.name for profile in gateway.sent("account.profiles")]
    assert names == ["Acme"] * profiles
    assert gateway.sent("events.deadletter") == []


def test_posthogs_client_is_told_that_there_are_no_flags(
    gateway: Server, caplog: pytest.LogCaptureFixture
) -> None:
    client = Posthog("demo-write-key", host=gateway.url, disable_geoip=True)
    flags = client.get_all_flags("user-7", groups={"company": "acme-inc"})
    client.shutdown()
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert (flags, logged) == ({}, []), "the client logs an answer that it can't use"
