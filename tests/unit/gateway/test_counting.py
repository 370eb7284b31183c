"""Usage events that the gateway counts for a tenant."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.outbox.counting import count_of
from gateway.settings import GatewaySettings
from schemas.records import UsageEvent
from tests.support.gateway_client import SETTINGS, GatewayClient

COUNTERS = {"posts": "Blog Post Published", "board_users": "Boards"}


def call(**fields: Any) -> dict[str, Any]:
    return {
        "userId": "u-7", "messageId": "m-1", "event": "Blog Post Published",
        "context": {"groupId": "acme-inc"}, **fields,
    }  # fmt: skip


@pytest.fixture
def gateway() -> GatewayClient:
    tenants = {
        name: tenant.model_copy(update={"counted": COUNTERS} if name == "acme" else {})
        for name, tenant in SETTINGS.tenants.items()
    }
    return GatewayClient(GatewaySettings(tenants=tenants))


def test_an_event_of_a_counted_name_is_counted_with_its_user(gateway: GatewayClient) -> None:
    for _ in range(2):
        gateway.post("/v1/track", call())
    assert len(gateway.sent("usage.events")) == 2
    counted = gateway.sent("account.profiles")
    assert [(one.account_id, one.counted, one.user_id) for one in counted] == 2 * [
        ("acme-inc", {"posts": 1}, "u-7")
    ]
    assert counted[0].event_id == counted[1].event_id, "a retry counts once"
    assert counted[0].occurred_at == gateway.sent("usage.events")[0].occurred_at


def test_an_event_of_a_counted_feature_is_counted_and_no_other(gateway: GatewayClient) -> None:
    gateway.post("/v1/track", call(event="Opened", properties={"feature": "Boards"}))
    gateway.post("/v1/track", call(messageId="m-2", event="Opened"))
    assert [one.counted for one in gateway.sent("account.profiles")] == [{"board_users": 1}]


def test_typed_usage_is_counted_too(gateway: GatewayClient) -> None:
    event = {"event_id": "e", "account_id": "a", "name": "Blog Post Published"}
    assert gateway.post("/v1/events/usage.events", event).status == 200
    assert [one.counted for one in gateway.sent("account.profiles")] == [{"posts": 1}]


def test_one_event_may_add_to_several_counters() -> None:
    event = UsageEvent(
        event_id="e",
        tenant="t",
        account_id="a",
        source="s",
        occurred_at=1,
        received_at=2,
        name="n",
        feature="f",
    )
    found = count_of(event, {"one": "n", "two": "f", "three": "x"})
    assert found is not None
    assert found.counted == {"one": 1, "two": 1}
    assert count_of(event, {"three": "x"}) is None
