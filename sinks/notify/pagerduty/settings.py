"""Settings of a PagerDuty channel."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sinks.notify.channel_settings import EndpointSettings, Secret
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["PagerDutySettings"]


class PagerDutySettings(EndpointSettings):
    """A service of PagerDuty, by an integration of type Events API v2."""

    type: Literal["pagerduty"] = Field(default="pagerduty", description="PagerDuty.")
    routing_key: Secret = Field(description="Integration key of the service.")
    url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Address of the Events API, which has another host in the EU: "
        "`https://events.eu.pagerduty.com/v2/enqueue`.",
    )

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.pagerduty.channel import PagerDutyChannel  # noqa: PLC0415

        return PagerDutyChannel(self, name, links)
