"""Settings of a Teams channel."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sinks.notify.channel_settings import EndpointSettings, Secret
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["TeamsSettings"]


class TeamsSettings(EndpointSettings):
    """A workflow of Microsoft Teams that posts to one channel or chat."""

    type: Literal["teams"] = Field(default="teams", description="Microsoft Teams.")
    url: Secret = Field(description="Address of the workflow, which lets whoever has it post.")

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.teams.channel import TeamsChannel  # noqa: PLC0415

        return TeamsChannel(self, name, links)
