"""Settings of the poller: what is asked for each tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from gateway.pulls.pull import PullSettings, PullSource
from gateway.pulls.registry import PULLS
from schemas.identity.keys import valid_tenant

__all__ = ["PollSettings", "TenantPulls"]


class _TenantPulls(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def of(self, source: PullSource) -> PullSettings | None:
        """Return the settings of a source, ``None`` where the tenant has none."""
        found: PullSettings | None = getattr(self, source.name)
        return found


if TYPE_CHECKING:
    TenantPulls = _TenantPulls
else:
    TenantPulls = create_model(
        "TenantPulls",
        __base__=_TenantPulls,
        __module__=__name__,
        __doc__="The sources that are asked for one tenant; one without settings is not asked.",
        **{source.name: (source.settings | None, None) for source in PULLS},
    )


def _tenants(tenants: dict[str, TenantPulls]) -> dict[str, TenantPulls]:
    for tenant in tenants:
        if not valid_tenant(tenant):
            raise ValueError(f"{tenant!r} is no tenant: use 1 to 63 of a-z, 0-9, _ and -")
    return tenants


class PollSettings(BaseModel):
    """The poller, which asks vendors for what changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenants: Annotated[dict[str, TenantPulls], AfterValidator(_tenants)] = Field(
        default={}, description="What is asked for each tenant, by the tenant's name."
    )
    session_seconds: float = Field(
        default=10.0, ge=6.0, description="Time after which a member that Kafka does not hear of is replaced."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of `/metrics`, `/livez` and `/readyz`."
    )
    metrics_port: int = Field(
        default=9104,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/livez` and `/readyz`. 0: any free one.",
    )

    def pulls(self) -> list[tuple[str, PullSource, PullSettings]]:
        """Return what is asked: tenant, source and its settings."""
        return [
            (tenant, source, settings)
            for tenant, pulls in self.tenants.items()
            for source in PULLS
            if (settings := pulls.of(source)) is not None
        ]
