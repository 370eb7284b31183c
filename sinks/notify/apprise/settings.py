"""Settings of an Apprise channel."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from sinks.notify.channel_settings import ChannelSettings, Secret
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["AppriseSettings"]


class AppriseSettings(ChannelSettings):
    """A service that Apprise reaches, such as Discord, Telegram, Mattermost or Matrix."""

    extra: ClassVar[str | None] = "apprise"

    type: Literal["apprise"] = Field(default="apprise", description="One of the services of Apprise.")
    url: Secret = Field(description="Address in Apprise's form, like `discord://ID/TOKEN`.")
    timeout_seconds: float = Field(default=20.0, gt=0, le=20, description="Longest wait for an answer.")

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.apprise.channel import AppriseChannel  # noqa: PLC0415

        return AppriseChannel(self, name, links)
