"""Settings of all notification channels, and of the addresses under which they reach people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.records import AlertNotification
from schemas.suggestions import suggestion
from sinks.notify.apprise.settings import AppriseSettings
from sinks.notify.channel_settings import ChannelSettings, Secret, SecretsModel
from sinks.notify.email.settings import EmailSettings
from sinks.notify.inbox.settings import InboxSettings
from sinks.notify.links import Links
from sinks.notify.pagerduty.settings import PagerDutySettings
from sinks.notify.slack.settings import SlackSettings
from sinks.notify.teams.settings import TeamsSettings
from sinks.notify.webhook.settings import WebhookSettings

__all__ = ["CHANNEL_TYPES", "NotifySettings"]

CHANNEL_TYPES: tuple[type[ChannelSettings], ...] = (
    AppriseSettings,
    EmailSettings,
    InboxSettings,
    PagerDutySettings,
    SlackSettings,
    TeamsSettings,
    WebhookSettings,
)
"""Every type of channel."""

AnyChannel = Annotated[
    AppriseSettings
    | EmailSettings
    | InboxSettings
    | PagerDutySettings
    | SlackSettings
    | TeamsSettings
    | WebhookSettings,
    Field(discriminator="type"),
]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LEAST_LINK_SECRET = 16


class NotifySettings(SecretsModel):
    """The channels through which people are notified, their addresses there, and the links of messages."""

    channels: dict[str, AnyChannel] = Field(
        default={},
        description="Channels by name. `type` says what each is, and which further keys it has; each page "
        "of docs/channels lists those of one type.",
    )
    recipients: dict[str, dict[str, str]] = Field(
        default={},
        description="Addresses of each recipient, such as an owner in the profiles, by the name or the type "
        "of a channel. `TENANT:NAME` is the recipient of that name in one tenant. Whoever has no address in "
        "a channel gets the notification at the channel's own `to`.",
    )
    console_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="Address of the console that messages link to. Without it they have no such link.",
    )
    action_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="Address under which people's browsers reach the gateway, for links that act on an "
        "alert. Without it `gateway.public_url` is.",
    )
    link_secret: Secret | None = Field(
        default=None,
        description="Secret that signs links which act on an alert, 16 characters at least; or "
        "`link_secret_file`. Without it mails have no such links.",
    )
    old_link_secret: Secret | None = Field(
        default=None, description="Secret that `link_secret` replaces; its links are good until they expire."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*self._channel_faults(), *self._recipient_faults()]
        if self.link_secret is not None and len(self.link_secret.get_secret_value()) < _LEAST_LINK_SECRET:
            faults.append(f"link_secret: at least {_LEAST_LINK_SECRET} characters, chosen at random")
        if faults:
            raise PydanticCustomError("notify", "{faults}", {"faults": "; ".join(faults)})
        return self

    def _channel_faults(self) -> list[str]:
        return [
            f"channels.{name}: use 1 to 40 of a-z, 0-9, _ and - in a name"
            for name in self.channels
            if not _NAME.fullmatch(name)
        ]

    def _recipient_faults(self) -> list[str]:
        faults = []
        types = {settings.model_fields["type"].default: settings for settings in CHANNEL_TYPES}
        for person, addresses in self.recipients.items():
            for where, address in addresses.items():
                place = f"recipients.{person}.{where}"
                used = [c for name, c in self.channels.items() if where in (name, c.type)]
                if not used and where not in types:
                    fix = suggestion(where, [*self.channels, *types], "docs/channels")
                    faults.append(f"{place}: there is no channel and no type of that name: {fix}")
                faults += [
                    f"{place}: {fault}" for fault in {c.fault_of_address(address) for c in used} if fault
                ]
        return faults

    def links(self, gateway_url: str | None) -> Links:
        """Return the addresses of links; ``gateway_url`` is the gateway's own public one."""
        return Links(
            console=self.console_url,
            gateway=self.action_url or gateway_url,
            secret=None if self.link_secret is None else self.link_secret.get_secret_value(),
        )

    def route(self, name: str, content: AlertNotification) -> str | None:
        """Return the address of a notification in a channel, ``None`` where the channel doesn't take it."""
        return self.address(name, content) if self.channels[name].takes(content) else None

    def address(self, name: str, content: AlertNotification) -> str | None:
        """Return the address of a notification's recipient in a channel, whatever the channel takes."""
        channel = self.channels[name]
        for person in (f"{content.tenant}:{content.recipient}", content.recipient):
            addresses: Mapping[str, str] = self.recipients.get(person, {})
            own = addresses.get(name) or addresses.get(channel.type)
            if own:
                return own
        return channel.default_address()

    def with_channel(self, name: str, channel: Any) -> Self:
        """Return the settings with one more channel."""
        return self.model_copy(update={"channels": {**self.channels, name: channel}})
