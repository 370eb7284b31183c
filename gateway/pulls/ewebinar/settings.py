"""Settings of the connection to eWebinar."""

from __future__ import annotations

from pydantic import Field, SecretStr

from gateway.pulls.pull import PullSettings

__all__ = ["EWebinarSettings"]


class EWebinarSettings(PullSettings):
    """Settings of the connection to an eWebinar account."""

    every_seconds: float = Field(default=900.0, gt=0, description="Pause between two rounds.")
    token: SecretStr = Field(description="API token.")
    url: str = Field(
        default="https://api.ewebinar.com", pattern=r"^https?://\S+$", description="Address of the API."
    )
