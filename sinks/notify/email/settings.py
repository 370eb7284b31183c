"""Settings of an e-mail channel."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.headerregistry import Address
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from sinks.notify.channel_settings import ChannelSettings, Secret
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["EmailSettings", "fault_of_email_address"]

_LOCAL = ("127.0.0.1", "localhost", "::1")
_NAMED = re.compile(r"^(?:(?P<name>[^<>\"\r\n]*?)\s*<(?P<inside>[^<>\s]+)>|(?P<alone>\S+))$")


def fault_of_email_address(text: str) -> str | None:
    """Return what is wrong with an e-mail address, such as ``Ann <ann@example.com>``."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


def parse(text: str) -> Address:
    """Return an e-mail address, with the name before it if there is one; raise ValueError."""
    match = _NAMED.match(text.strip())
    spec = (match["inside"] or match["alone"]) if match else ""
    try:
        address = Address(match["name"] or "" if match else "", addr_spec=spec)
    except (HeaderParseError, ValueError, IndexError):
        address = Address()
    if not address.username or not address.domain or not spec.isascii():
        raise ValueError(f"{text!r} is no e-mail address: give name@domain, or Name <name@domain>")
    return address


class EmailSettings(ChannelSettings):
    """One SMTP server that takes mail for everybody; it should be a relay that queues by itself."""

    type: Literal["email"] = Field(default="email", description="E-mail by SMTP.")
    host: str = Field(min_length=1, description="Name of the SMTP server.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port: 587, or 465 for `tls`.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection is encrypted; `none` only for a server that needs no password.",
    )
    username: str = Field(default="", description="Name to log in with; empty: no login.")
    password: Secret | None = Field(default=None, description="Password to log in with.")
    sender: str = Field(description="Address that the mails come from, like `Bellbuoy <alerts@example.com>`.")
    to: str = Field(description="Address of every recipient who has none in `notify.recipients`.")
    timeout_seconds: float = Field(default=20.0, gt=0, le=20, description="Longest time for one mail.")

    @field_validator("sender", "to")
    @classmethod
    def _address(cls, text: str) -> str:
        parse(text)
        return text

    @model_validator(mode="after")
    def _login(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password (or password_file) go together: give both or none")
        if self.security == "none" and self.password is not None and self.host not in _LOCAL:
            raise ValueError("security none would send the password readable: use starttls or tls")
        return self

    def default_address(self) -> str | None:
        """Return the address of whoever has none of their own."""
        return self.to

    def fault_of_address(self, address: str) -> str | None:
        """Return what is wrong with a recipient's own address."""
        return fault_of_email_address(address)

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel."""
        from sinks.notify.email.channel import EmailChannel  # noqa: PLC0415

        return EmailChannel(self, name, links)
