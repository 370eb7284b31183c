"""Settings of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, create_model, field_validator

from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from processors.state.own import MAX_OWN, OWN_NAME
from schemas.identity.keys import valid_tenant
from schemas.identity.write_keys import KeyScope

__all__ = ["GatewaySettings", "TenantSettings"]


def _not_blank(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(not secret.get_secret_value().strip() for secret in secrets):
        raise ValueError("a blank secret would let anyone in: leave it out or set it")
    return secrets


Secrets = Annotated[tuple[SecretStr, ...], AfterValidator(_not_blank)]
"""Secrets of one source; several of them are valid at once, so that they can be rotated."""


def _counters(counted: dict[str, str]) -> dict[str, str]:
    if len(counted) > MAX_OWN:
        raise ValueError(f"{len(counted)} counters, at most {MAX_OWN}")
    for name in counted:
        if not OWN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no counter: use 1 to 64 of a-z, 0-9 and _, a letter first")
    return counted


class _Tenant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    write_keys: Secrets = Field(
        default=(),
        description="Write keys: they may track, and nothing else, so they may stand in web pages and apps.",
    )
    server_keys: Secrets = Field(
        default=(),
        description="Server keys: they may track and send typed events, among them billing, overrides and "
        "links. Keep them on your own machines.",
    )

    counted: Annotated[dict[str, str], AfterValidator(_counters)] = Field(
        default={},
        description="Own counters, each with the name or the feature of the usage events that it counts; a "
        "model reads them as `own.NAME`.",
    )

    keep_raw: bool = Field(
        default=True,
        description="Whether what `privacy` leaves of verified webhooks is kept on `raw.payloads`, so that "
        "`bellbuoy sources remap` can map them again.",
    )

    def secrets(self, source: WebhookSource) -> list[str]:
        """Return the secrets with which a source may sign this tenant's webhooks."""
        secrets: Secrets = getattr(self, source.secrets_key)
        return _values(secrets)

    def test_secrets(self, source: WebhookSource) -> list[str]:
        """Return the secrets with which a source may sign webhooks of its test mode."""
        secrets: Secrets = getattr(self, source.test_secrets_key, ())
        return _values(secrets)


def _values(secrets: Secrets) -> list[str]:
    return [secret.get_secret_value() for secret in secrets]


_TESTED = tuple(source for source in WEBHOOKS if source.is_test is not None)

if TYPE_CHECKING:
    TenantSettings = _Tenant
else:
    TenantSettings = create_model(
        "TenantSettings",
        __base__=_Tenant,
        __module__=__name__,
        __doc__="A tenant's secrets at the gateway: its keys, and the secrets of each webhook source.",
        **{
            source.secrets_key: (
                Secrets,
                Field(default=(), description=f"Signing secrets of {source.title}'s webhooks."),
            )
            for source in WEBHOOKS
        },
        **{
            source.test_secrets_key: (
                Secrets,
                Field(
                    default=(),
                    description=f"Signing secrets of {source.title}'s test mode; what no such secret signed "
                    "counts only if it is live.",
                ),
            )
            for source in _TESTED
        },
    )

_DEMO_SECRETS: dict[str, Any] = {
    "write_keys": (SecretStr("demo-write-key"),),
    "server_keys": (SecretStr("demo-server-key"),),
    **{source.secrets_key: (SecretStr(source.demo_secret),) for source in WEBHOOKS},
    **{source.test_secrets_key: (SecretStr(source.demo_secret),) for source in _TESTED},
}
# Constructed, as validating it would build the validators of this class by itself.
_DEMO_TENANT = TenantSettings.model_construct(**_DEMO_SECRETS)


class GatewaySettings(BaseModel):
    """The gateway's address, its tenants and its bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    host: str = Field(default="127.0.0.1", description="Address on which the gateway listens.")
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="Port of the gateway: events and health, and metrics unless `gateway.metrics_port` is "
        "set. 0: any free one.",
    )
    listen_fd: int | None = Field(
        default=None,
        ge=0,
        description="Number of an open listening socket that the process inherits, as from systemd (3) or "
        "`bellbuoy up`; `host` and `port` are not used then. The socket outlives the process, so a restart "
        "refuses no connection.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of `/metrics` where `gateway.metrics_port` is set."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port of `/metrics`, apart from the events: set it where `gateway.port` is public.",
    )
    tenants: dict[str, TenantSettings] = Field(
        default={"demo": _DEMO_TENANT},
        description="Secrets of each tenant, by its name. The keys of `demo` are published: name your own "
        "tenants before listening on more than loopback.",
    )
    max_body_bytes: int = Field(
        default=512_000,
        gt=0,
        le=4_000_000,
        description="Largest request, before and after decompression; beyond it 413.",
    )
    max_event_bytes: int = Field(
        default=32_768,
        gt=0,
        description="Largest single event; beyond it 413, or `invalid` for one event of a batch.",
    )
    max_batch_events: int = Field(default=2_500, gt=0, description="Most events of a request; beyond it 413.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+/?$",
        description="Address under which browsers and apps reach the gateway, like `https://events.example`; "
        "their SDKs are told it. Without it, the address that they asked.",
    )
    max_requests: int = Field(
        default=128,
        gt=0,
        description="Most requests processed at once, from the end of the body to the answer; beyond it 503 "
        "with `Retry-After`.",
    )
    max_connections: int = Field(
        default=2_048,
        gt=0,
        description="Most connections; beyond it the one that the gateway has waited for longest is closed.",
    )
    head_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Longest wait for the head of a request, from the connection or the answer before; "
        "then the connection is closed.",
    )
    body_seconds: float = Field(
        default=20.0, gt=0, description="Longest wait for the body of a request; then 408."
    )
    max_waiting_events: int = Field(
        default=20_000,
        gt=0,
        description="Most events sent to Kafka and not yet confirmed; beyond it 503 with `Retry-After`.",
    )
    delivery_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait for Kafka's confirmation; then 503 with `Retry-After`."
    )

    def keys(self) -> dict[KeyScope, dict[str, list[str]]]:
        """Return the keys of each tenant, by scope."""
        return {
            "track": {name: _values(tenant.write_keys) for name, tenant in self.tenants.items()},
            "server": {name: _values(tenant.server_keys) for name, tenant in self.tenants.items()},
        }

    def keeping_raw(self) -> frozenset[str]:
        """Return the tenants whose webhooks are kept as they came."""
        return frozenset(name for name, tenant in self.tenants.items() if tenant.keep_raw)

    def secrets(self, source: WebhookSource) -> dict[str, list[str]]:
        """Return the secrets of a source, by tenant."""
        return {name: tenant.secrets(source) for name, tenant in self.tenants.items()}

    def test_secrets(self, source: WebhookSource) -> dict[str, list[str]]:
        """Return the secrets of a source's test mode, by tenant."""
        return {name: tenant.test_secrets(source) for name, tenant in self.tenants.items()}

    @field_validator("tenants")
    @classmethod
    def _check_tenants(cls, tenants: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
        for name in tenants:
            if not valid_tenant(name):
                raise ValueError(f"tenant {name!r}: use 1-63 of a-z, 0-9, _ and -")
        owners: dict[str, str] = {}
        for name, tenant in tenants.items():
            write, server = set(_values(tenant.write_keys)), set(_values(tenant.server_keys))
            if write & server:
                raise ValueError(
                    f"tenant {name!r} has a key in write_keys and in server_keys: give servers a key that "
                    "stands in no page"
                )
            for key in write | server:
                if owners.setdefault(key, name) != name:
                    raise ValueError(f"tenants {owners[key]!r} and {name!r} share a key: give each its own")
        return tenants
