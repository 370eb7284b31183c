"""Settings of a webhook channel."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr

from sinks.notify.channel_settings import EndpointSettings, Secret
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["WebhookSettings"]


def _valid_secret(secret: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret is whsec_ and 24 to 64 bytes in base64")
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_valid_secret)]


class WebhookSettings(EndpointSettings):
    """One endpoint that receives notifications; each endpoint has secrets of its own."""

    extra: ClassVar[str | None] = "webhook"

    type: Literal["webhook"] = Field(default="webhook", description="Signed JSON to an endpoint.")
    url: str = Field(description="Where notifications are posted.")
    secret: SigningSecret = Field(description="Secret that signs: `whsec_` and 24 to 64 bytes in base64.")
    old_secret: SigningSecret | None = Field(
        default=None, description="Secret that `secret` replaces; both sign for a while."
    )

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.webhook.channel import WebhookChannel  # noqa: PLC0415

        return WebhookChannel(self, name, links)
