"""Settings of an inbox channel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from sinks.notify.channel_settings import ChannelSettings
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["InboxSettings"]


class InboxSettings(ChannelSettings):
    """A local directory of messages with a page `index.html`; it needs no account anywhere."""

    type: Literal["inbox"] = Field(default="inbox", description="A local directory.")
    folder: Path = Field(description="Directory of the messages and of `index.html`.")
    most: int = Field(
        default=200, gt=0, le=10_000, description="Most messages that are kept; the oldest goes first."
    )

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.inbox.channel import InboxChannel  # noqa: PLC0415

        return InboxChannel(self, name, links)
