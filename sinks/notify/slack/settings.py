"""Settings of a Slack channel."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from sinks.notify.channel_settings import ChannelSettings, Secret, fault_of_url
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["SlackSettings"]

_ADDRESS = re.compile(r"(?:[UWCGD][A-Z0-9]{5,20}|#[\w.-]{1,80})")
_WRONG = (
    "give the id of a channel or a user, like C0123ABCD or U0123ABCD, or a channel's name, like #customers"
)


class SlackSettings(ChannelSettings):
    """A Slack workspace: by an incoming webhook, or by an app's token, which can also change messages."""

    extra: ClassVar[str | None] = "slack"

    type: Literal["slack"] = Field(default="slack", description="Slack.")
    webhook_url: Secret | None = Field(
        default=None,
        description="Address of an incoming webhook, which posts to one channel. In place of `token`.",
    )
    token: Secret | None = Field(
        default=None,
        description="Bot token of an app (`xoxb-…`) with the scope `chat:write`. A change of an alert then "
        "changes its message.",
    )
    signing_secret: Secret | None = Field(
        default=None,
        description="Signing secret of the app. With it messages have buttons, which Slack reports to "
        "`/slack/actions` of the gateway.",
    )
    to: str = Field(
        default="", description="With a token: channel of every recipient without an address of their own."
    )
    api_url: str = Field(
        default="https://slack.com/api/",
        pattern=r"^https?://[^\s?#]+/$",
        description="Address of Slack's API, which GovSlack has elsewhere.",
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=20, description="Longest wait for an answer.")
    internal: bool = Field(
        default=False,
        description="The webhook is in your own network: allow `http://` and private addresses.",
    )

    @field_validator("to")
    @classmethod
    def _address(cls, text: str) -> str:
        if text and not _ADDRESS.fullmatch(text):
            raise ValueError(_WRONG)
        return text

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.webhook_url is None) == (self.token is None):
            raise ValueError("give webhook_url or token, and not both")
        if self.webhook_url is not None:
            fault = fault_of_url(self.webhook_url.get_secret_value(), internal=self.internal)
            if fault is not None:
                raise ValueError(f"webhook_url: {fault}")
        if self.token is not None and not self.to:
            raise ValueError("to: with a token, name the channel of whoever has no address of their own")
        return self

    def default_address(self) -> str | None:
        """Return the channel of whoever has no address of their own; empty for a webhook, which has one."""
        return self.to

    def fault_of_address(self, address: str) -> str | None:
        """Return what is wrong with a recipient's own address."""
        if self.token is None:
            return "an incoming webhook posts to one channel: use a token, or leave the address out"
        return None if _ADDRESS.fullmatch(address) else f"{address!r} is no address in Slack: {_WRONG}"

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.slack.channel import SlackChannel  # noqa: PLC0415

        return SlackChannel(self, name, links)
