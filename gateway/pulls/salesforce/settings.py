"""Settings of the connection to Salesforce."""

from __future__ import annotations

from pydantic import Field, SecretStr

from gateway.pulls.profile_fields import ProfileFields
from gateway.pulls.pull import PullSettings

__all__ = ["SalesforceSettings"]

_FIELD = r"^[A-Za-z]\w*(\.[A-Za-z]\w*)?$"


class SalesforceSettings(PullSettings):
    """Settings of the connection to a Salesforce organization."""

    url: str = Field(
        pattern=r"^https?://[^\s/]+$", description="My Domain: `https://NAME.my.salesforce.com`."
    )
    client_id: str = Field(description="Consumer key of the connected app.")
    client_secret: SecretStr = Field(description="Consumer secret of the connected app.")
    refresh_token: SecretStr | None = Field(
        default=None,
        description="Refresh token of a user. Without it the app's own user is used: the client credentials "
        "flow.",
    )
    account_field: str = Field(
        default="Id",
        pattern=_FIELD,
        description="Field of Account that holds the account's id as it is known here; `Id` is that of "
        "Salesforce.",
    )
    settle_seconds: float = Field(
        default=120.0, ge=0, description="What changed so lately is left for the next round."
    )
    fields: ProfileFields = Field(
        default={},
        description="Fields of profiles, each with the field of Account that fills it: `segment`, `arr` "
        "(major units, with `currency`), `seats`, `country`, `parent_id`, `stage`, `owner`.",
    )
