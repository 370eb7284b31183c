"""Settings of the front door."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from schemas.identity.keys import valid_tenant

__all__ = ["GatewaySettings", "TenantSettings"]


class TenantSettings(BaseModel):
    """One tenant's secrets at the front door; several per source, so that they can be rotated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    write_keys: tuple[SecretStr, ...] = ()
    stripe_secrets: tuple[SecretStr, ...] = ()
    zendesk_secrets: tuple[SecretStr, ...] = ()

    @field_validator("write_keys", "stripe_secrets", "zendesk_secrets")
    @classmethod
    def _not_blank(cls, given: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(not secret.get_secret_value().strip() for secret in given):
            raise ValueError("a blank secret would let anyone in: leave it out or set it")
        return given


class GatewaySettings(BaseModel):
    """The front door: where it listens, whom it knows, what it bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tenants: dict[str, TenantSettings] = {
        "demo": TenantSettings(
            write_keys=(SecretStr("demo-write-key"),),
            stripe_secrets=(SecretStr("whsec_demo"),),
            zendesk_secrets=(SecretStr("zendesk-demo"),),
        )
    }
    max_body_bytes: int = Field(
        default=512_000, gt=0, le=4_000_000, description="largest request, after decompression"
    )
    max_event_bytes: int = Field(default=32_768, gt=0, description="largest single event")
    max_batch_events: int = Field(default=2_500, gt=0)
    max_requests: int = Field(default=128, gt=0, description="under way at once, then 503")
    body_seconds: float = Field(default=20.0, gt=0, description="wait for a request's body, then 408")
    max_waiting_events: int = Field(default=20_000, gt=0, description="unacknowledged by Kafka, then 503")
    delivery_timeout_seconds: float = Field(default=10.0, gt=0, description="wait for Kafka, then 503")

    @field_validator("tenants")
    @classmethod
    def _tenant_names(cls, tenants: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
        for name in tenants:
            if not valid_tenant(name):
                raise ValueError(f"tenant {name!r}: use 1-63 of a-z, 0-9, _ and -")
        owners: dict[str, str] = {}
        for name, tenant in tenants.items():
            for key in {key.get_secret_value() for key in tenant.write_keys}:
                if owners.setdefault(key, name) != name:
                    raise ValueError(
                        f"tenants {owners[key]!r} and {name!r} share a write key: give each its own"
                    )
        return tenants
