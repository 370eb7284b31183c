"""Settings of the connection to HubSpot's CRM."""

from __future__ import annotations

from pydantic import Field, SecretStr

from gateway.pulls.profile_fields import ProfileFields
from gateway.pulls.pull import PullSettings

__all__ = ["HubSpotSettings"]


class HubSpotSettings(PullSettings):
    """Settings of the connection to a HubSpot account."""

    token: SecretStr = Field(description="Access token of a private app.")
    url: str = Field(
        default="https://api.hubapi.com", pattern=r"^https?://\S+$", description="Address of the API."
    )
    settle_seconds: float = Field(
        default=60.0,
        ge=0,
        description="What changed so lately is left for the next round: HubSpot's search lags behind.",
    )
    fields: ProfileFields = Field(
        default={},
        description="Fields of profiles, each with the property of a company that fills it: `segment`, `arr` "
        "(major units, with `currency`), `seats`, `country`, `parent_id`, `stage`, `owner`.",
    )
