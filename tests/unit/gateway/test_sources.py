"""A source that lacks its registry line, repair, metrics, setting, docs or tests fails here, with the fix."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import gateway.sources
from gateway.http.errors import Fault
from gateway.http.middleware.request_metrics import RouteLabels
from gateway.http.sender import Sender
from gateway.settings import GatewaySettings, TenantSettings
from gateway.sources.registry import REPAIRS, SOURCES, WEBHOOKS
from gateway.sources.source import Source, WebhookSource
from tests.support.gateway_client import NOW, GatewayClient

ROOT = Path(__file__).parents[3]
INGEST = (ROOT / "docs/ingest.md").read_text()

each = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
each_webhook = pytest.mark.parametrize("source", WEBHOOKS, ids=lambda source: source.name)


def described() -> dict[str, Source | None]:
    """Return the SOURCE of each package, and of each module that has one, by the name of the module."""
    modules = {
        module.name: (getattr(import_module(f"gateway.sources.{module.name}"), "SOURCE", None), module.ispkg)
        for module in iter_modules(gateway.sources.__path__)
    }
    return {name: source for name, (source, package) in modules.items() if source or package}


def test_every_source_is_in_the_registry() -> None:
    for name, source in described().items():
        assert source in SOURCES, (
            f"gateway/sources/{name}: give it a SOURCE and add that to SOURCES in gateway/sources/registry.py"
        )
    assert len(described()) == len(SOURCES)


def test_names_are_unique_and_fit_into_paths_and_settings() -> None:
    names = [source.name for source in SOURCES]
    assert len(set(names)) == len(names), "two sources have the same name"
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)


@each
def test_dead_letters_can_be_mapped_again(source: Source) -> None:
    assert REPAIRS[source.name] is source.to_record
    with pytest.raises(Fault):
        source.to_record(b"{", Sender("acme", source.name, NOW), {})


@each_webhook
def test_it_has_a_page(source: WebhookSource) -> None:
    page = ROOT / "docs/sources" / f"{source.name}.md"
    assert page.is_file(), (
        f"give gateway/sources/{source.name}/samples a guide.md, then run `python -m bellbuoy.docs`"
    )
    assert f"{source.path}/TENANT" in page.read_text()
    assert source.secrets_key in page.read_text()


@pytest.mark.parametrize(
    "source",
    [each for each in SOURCES if not isinstance(each, WebhookSource)],
    ids=lambda source: source.name,
)
def test_a_source_with_keys_has_a_section_in_the_docs(source: Source) -> None:
    headings = [line for line in INGEST.splitlines() if line.startswith("#")]
    assert any(source.title.lower() in heading.lower() for heading in headings), (
        f"docs/ingest.md: add a section for {source.title}"
    )


@each_webhook
def test_its_requests_and_refusals_are_counted_from_zero(source: WebhookSource) -> None:
    client = GatewayClient()
    client.post(f"{source.path}/acme")
    metrics = client.request("GET", "/metrics").content.decode()

    assert f'bellbuoy_ingest_requests_total{{code="401",route="{source.path}"}}' in metrics
    assert f'bellbuoy_ingest_ignored_total{{source="{source.name}"}}' in metrics
    for reason in ("unknown_tenant", "signature", "stale", "invalid"):
        assert f'bellbuoy_webhook_rejected_total{{reason="{reason}",source="{source.name}"}}' in metrics


def test_every_route_has_a_label_of_its_own_name() -> None:
    routes = GatewayClient().app.routes
    labels = RouteLabels(routes)
    for path, name in [(route.path, route.name) for route in routes]:
        label = labels.label(re.sub(r"\{[^}]*\}", "x", path))
        assert label == name
        assert label.startswith("/"), f"{path}: give its Route a name, which is its label in metrics"
        assert path.startswith(label) or label.startswith("/v1/"), "another name of a tracking route"
    assert labels.label("/webhooks/nobody/acme") == "other"
    assert labels.label("/v1/events") == "/v1/events"


@each_webhook
def test_its_secrets_are_a_setting_of_a_tenant(source: WebhookSource) -> None:
    tenant = TenantSettings.model_validate({source.secrets_key: ["new", "old"]})

    assert tenant.secrets(source) == ["new", "old"]
    assert TenantSettings().secrets(source) == []
    assert GatewaySettings().tenants["demo"].secrets(source) == [source.demo_secret]


def test_the_keys_of_the_settings_stay() -> None:
    assert {"write_keys", "server_keys", "stripe_secrets", "zendesk_secrets"} <= set(
        TenantSettings.model_fields
    )
    demo = GatewaySettings().model_dump()["tenants"]["demo"]
    published = {
        name: [secret.get_secret_value() for secret in secrets]
        for name, secrets in demo.items()
        if name.endswith(("_keys", "_secrets"))
    }
    assert published["write_keys"] == ["demo-write-key"]
    assert published["server_keys"] == ["demo-server-key"]
    assert published["stripe_secrets"] == ["whsec_demo"]
    assert published["zendesk_secrets"] == ["zendesk-demo"]
