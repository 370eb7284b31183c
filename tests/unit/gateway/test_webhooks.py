"""What the endpoint of every webhook source does, whoever the vendor is."""

from __future__ import annotations

import pytest

from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from tests.support.gateway_client import NOW, GatewayClient, encoded, new_secret, old_secret, signature

EVERY = pytest.mark.parametrize("source", WEBHOOKS, ids=lambda source: source.name)

NO_EVENT = {"neither": "vendor"}
"""A body that is signed well, but is no event of any vendor: once its signature is accepted, it is 400."""


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


@EVERY
def test_each_of_a_tenants_secrets_is_accepted(gateway: GatewayClient, source: WebhookSource) -> None:
    for secret in (old_secret(source), new_secret(source)):
        assert gateway.webhook(source, NO_EVENT, secret=secret).json.get("code") != "bad_signature"
    forged = gateway.webhook(source, NO_EVENT, secret="another")
    assert (forged.status, forged.json["code"]) == (401, "bad_signature")


@pytest.mark.parametrize(
    "source", [each for each in WEBHOOKS if each.signature_scheme().dated], ids=lambda source: source.name
)
@pytest.mark.parametrize("off", [-301_000, 301_000, 10**12])
def test_a_signature_from_another_time_is_401(
    gateway: GatewayClient, source: WebhookSource, off: int
) -> None:
    assert gateway.webhook(source, NO_EVENT, at=NOW + off).status == 401
    assert gateway.webhook(source, NO_EVENT, at=NOW + off // abs(off) * 299_000).status == 400


@EVERY
def test_a_webhook_without_signature_is_401(gateway: GatewayClient, source: WebhookSource) -> None:
    assert gateway.post(f"{source.path}/acme", NO_EVENT, {}).status == 401


@EVERY
def test_a_tenant_without_secret_has_no_webhook(gateway: GatewayClient, source: WebhookSource) -> None:
    body = encoded(NO_EVENT)
    headers = signature(source, new_secret(source), body)
    for tenant in ("other", "nobody"):
        answer = gateway.post(f"{source.path}/{tenant}", body, headers)
        assert (answer.status, answer.json["code"]) == (404, "unknown_tenant")


@EVERY
@pytest.mark.parametrize("body", [b"", b"{", b"7", b"null"])
def test_a_signed_body_that_is_no_event_is_400(
    gateway: GatewayClient, source: WebhookSource, body: bytes
) -> None:
    answer = gateway.webhook(source, body)

    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert not gateway.outbox.records


@EVERY
def test_a_get_is_refused(gateway: GatewayClient, source: WebhookSource) -> None:
    assert gateway.request("GET", f"{source.path}/acme").status == 405


@EVERY
def test_a_vendor_may_ask_whether_the_address_is_there(gateway: GatewayClient, source: WebhookSource) -> None:
    assert gateway.request("HEAD", f"{source.path}/acme").status == 200
    assert gateway.request("HEAD", f"{source.path}/nobody").status == 404
