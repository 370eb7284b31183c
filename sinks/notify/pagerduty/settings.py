"""Settings of a PagerDuty channel."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sinks.notify.channel_settings import ChannelSettings, Secret, fault_of_url
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["PagerDutySettings"]


class PagerDutySettings(ChannelSettings):
    """A service of PagerDuty, by an integration of type Events API v2."""

    type: Literal["pagerduty"] = Field(default="pagerduty", description="PagerDuty.")
    routing_key: Secret = Field(description="Integration key of the service.")
    url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Address of the Events API, which has another host in the EU: "
        "`https://events.eu.pagerduty.com/v2/enqueue`.",
    )
    timeout_seconds: float = Field(default=20.0, gt=0, le=20, description="Longest wait for an answer.")
    internal: bool = Field(
        default=False,
        description="The address is in your own network: allow `http://` and private addresses.",
    )

    @model_validator(mode="after")
    def _address(self) -> Self:
        fault = fault_of_url(self.url, internal=self.internal)
        if fault is not None:
            raise ValueError(f"url: {fault}")
        return self

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.pagerduty.channel import PagerDutyChannel  # noqa: PLC0415

        return PagerDutyChannel(self, name, links)
