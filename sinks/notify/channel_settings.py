"""Base of a channel's settings: what the channel takes, and its secrets, which may lie in files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from schemas.records import AlertNotification
from sinks.notify.links import Links
from sinks.notify.port import Channel

__all__ = ["ChannelSettings", "EndpointSettings", "Secret", "SecretsModel", "fault_of_url"]

_FILE = "_file"
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?")
_MOST_SECRET_BYTES = 65_536

Severity = Literal["notice", "warning", "critical"]
Kind = Literal["alert", "digest", "page", "escalation"]
Lane = Literal["churn_risk", "billing", "onboarding", "renewal", "champion", "support", "expansion", "outage"]


class _SecretFile(NamedTuple):
    path: object


def _from_file(value: object) -> object:
    if not isinstance(value, _SecretFile):
        return value
    try:
        path = Path(str(value.path))
        with path.open(encoding="utf-8") as file:
            return file.read(_MOST_SECRET_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"the file {value.path} can't be read: {why}") from None


def _not_blank(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise ValueError("a blank secret protects nothing: set it, or leave it out")
    return secret


Secret = Annotated[SecretStr, BeforeValidator(_from_file), AfterValidator(_not_blank)]
"""A secret; the key with ``_file`` behind it gives the path of a file that holds it."""


class SecretsModel(BaseModel):
    """Base of settings with secrets: each may come from a file, and no message shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _files(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        taken = dict(given)
        for name, field in cls.model_fields.items():
            if not _is_secret(field.annotation) or f"{name}{_FILE}" not in taken:
                continue
            path = taken.pop(f"{name}{_FILE}")
            if taken.get(name) is not None:
                raise ValueError(f"{name} and {name}{_FILE} are both given: leave one out")
            taken[name] = _SecretFile(path)
        return taken


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


class ChannelSettings(SecretsModel):
    """
    Settings of one channel.

    A subclass is one type of channel; its ``type`` is a literal field. It imports its client inside
    ``channel``: the settings are read by commands that need no client.
    """

    extra: ClassVar[str | None] = None
    """The optional extra that the channel's client comes with."""

    type: str = Field(description="Which channel it is.")
    tenants: tuple[str, ...] = Field(
        default=(), description="Tenants whose notifications the channel takes; empty: every one."
    )
    recipients: tuple[str, ...] = Field(
        default=(), description="Names of the recipients that the channel reaches; empty: everybody."
    )
    kinds: tuple[Kind, ...] = Field(
        default=(), description="Kinds of notifications that the channel takes; empty: all of them."
    )
    severities: tuple[Severity, ...] = Field(
        default=(), description="Severities that the channel takes; empty: all of them."
    )
    lanes: tuple[Lane, ...] = Field(
        default=(), description="Lanes that the channel takes; empty: all of them."
    )

    def takes(self, content: AlertNotification) -> bool:
        """Return whether a notification is for this channel."""
        lanes = {content.lane, *(alert.lane for alert in content.alerts)}
        return (
            _allows(self.tenants, content.tenant)
            and _allows(self.recipients, content.recipient)
            and _allows(self.kinds, content.kind)
            and _allows(self.severities, content.severity)
            and (not self.lanes or not lanes.isdisjoint(self.lanes))
        )

    def default_address(self) -> str | None:
        """Return the address of whoever has none of their own, ``None`` where there is none."""
        return ""

    def fault_of_address(self, address: str) -> str | None:
        """Return what is wrong with a recipient's own address in this channel, ``None`` when it is right."""
        del address
        return f"a channel of type {self.type} has one address for everybody, which is in its own settings"

    def channel(self, name: str, links: Links) -> Channel:
        """Return the channel; raise ModuleNotFoundError where its extra is not installed."""
        raise NotImplementedError


class EndpointSettings(ChannelSettings):
    """Settings of a channel that posts to one address, which a subclass has as ``url``, secret or not."""

    url: Any
    timeout_seconds: float = Field(default=20.0, gt=0, le=20, description="Longest wait for an answer.")
    internal: bool = Field(
        default=False,
        description="The address is in your own network: allow `http://` and private addresses.",
    )

    @model_validator(mode="after")
    def _address(self) -> Self:
        url = self.url.get_secret_value() if isinstance(self.url, SecretStr) else self.url
        fault = fault_of_url(url, internal=self.internal)
        if fault is not None:
            raise ValueError(f"url: {fault}")
        return self


def fault_of_url(url: str, *, internal: bool) -> str | None:
    """Return what is wrong with an address that is posted to, without showing it; it may be a secret."""
    if not _URL.fullmatch(url):
        return "it is no address: give https://HOST/PATH, without a user before the host"
    if not internal and not url.startswith("https://"):
        return "it must begin with https://, or set internal for a receiver in your own network"
    return None


def _allows(taken: tuple[str, ...], value: str) -> bool:
    return not taken or value in taken
