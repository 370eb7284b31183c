"""Settings of a Teams channel."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sinks.notify.channel_settings import ChannelSettings, Secret, fault_of_url
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["TeamsSettings"]


class TeamsSettings(ChannelSettings):
    """A workflow of Microsoft Teams that posts to one channel or chat."""

    type: Literal["teams"] = Field(default="teams", description="Microsoft Teams.")
    url: Secret = Field(description="Address of the workflow, which lets whoever has it post.")
    timeout_seconds: float = Field(default=20.0, gt=0, le=20, description="Longest wait for an answer.")
    internal: bool = Field(
        default=False,
        description="The workflow is in your own network: allow `http://` and private addresses.",
    )

    @model_validator(mode="after")
    def _address(self) -> Self:
        fault = fault_of_url(self.url.get_secret_value(), internal=self.internal)
        if fault is not None:
            raise ValueError(f"url: {fault}")
        return self

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.teams.channel import TeamsChannel  # noqa: PLC0415

        return TeamsChannel(self, name, links)
