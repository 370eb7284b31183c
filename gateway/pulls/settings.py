"""Settings of the poller: what is asked for each tenant."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.pulls.ewebinar.settings import EWebinarSettings
from gateway.pulls.hubspot_crm.settings import HubSpotSettings
from gateway.pulls.mailbox.settings import MailboxSettings
from gateway.pulls.pull import PullSettings
from gateway.pulls.salesforce.settings import SalesforceSettings
from schemas.identity.keys import valid_tenant

__all__ = ["PollSettings", "TenantPulls"]


class TenantPulls(BaseModel):
    """The sources that are asked for one tenant; one without settings is not asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    hubspot_crm: HubSpotSettings | None = None
    salesforce: SalesforceSettings | None = None
    ewebinar: EWebinarSettings | None = None
    mailbox: MailboxSettings | None = None


def _tenants(tenants: dict[str, TenantPulls]) -> dict[str, TenantPulls]:
    for tenant in tenants:
        if not valid_tenant(tenant):
            raise ValueError(f"{tenant!r} is no tenant: use 1 to 63 of a-z, 0-9, _ and -")
    return tenants


class PollSettings(BaseModel):
    """The poller, which asks vendors for what changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

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

    def pulls(self) -> list[tuple[str, str, PullSettings]]:
        """Return what is asked: tenant, name of the source and its settings."""
        return [
            (tenant, name, settings)
            for tenant, pulls in self.tenants.items()
            for name in TenantPulls.model_fields
            if (settings := getattr(pulls, name)) is not None
        ]
