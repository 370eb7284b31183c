"""
Webhook channel: posts notifications as JSON, signed by the Standard Webhooks specification 1.0.0.

Source: https://github.com/standard-webhooks/standard-webhooks, ``spec/standard-webhooks.md``, for the headers
and the signatures (several while a secret is rotated), the meaning of status codes, the time limit, no
redirects, and the guard against server-side request forgery.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import ipaddress
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from standardwebhooks import Webhook

from schemas.records import RiskAlert
from schemas.times import iso
from sinks.notify.port import (
    DeliveryReceipt,
    GoneError,
    Notification,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)

__all__ = ["WebhookChannel", "WebhookSettings"]

_CONNECT_SECONDS = 5.0
_LONGEST_RETRY_AFTER_SECONDS = 3_600.0
"""A receiver that asks for more is tried again after an hour all the same."""
_GONE = 410
_CONTENT_REFUSED = frozenset({400, 413, 415, 422})
"""Status codes about this very content; every other failure may pass once the receiver is repaired."""


def _valid_secret(secret: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret is whsec_ and 24 to 64 bytes in base64")
    return secret


class WebhookSettings(BaseModel):
    """One endpoint that receives notifications; each endpoint has secrets of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(pattern=r"^https?://[^\s/@]+(/\S*)?$", description="where notifications are posted")
    secrets: tuple[Annotated[SecretStr, AfterValidator(_valid_secret)], ...] = Field(
        min_length=1, description="signing secrets: the present one, then those it replaces for a while"
    )
    timeout_seconds: float = Field(default=20.0, gt=0, le=60, description="longest wait for an answer")
    internal: bool = Field(
        default=False, description="the receiver is in your own network: allow http:// and private addresses"
    )

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if not self.internal and not self.url.startswith("https://"):
            raise ValueError(
                "url must begin with https://, or set internal for a receiver in your own network"
            )
        return self


class _Data(msgspec.Struct, frozen=True):
    recipient: str
    alerts: tuple[RiskAlert, ...]


class _Payload(msgspec.Struct, frozen=True):
    """Body of a notification: ``type`` is ``alert.opened`` (or another change), or ``alerts.digest``."""

    type: str
    timestamp: str
    data: _Data


class WebhookChannel:
    """
    Channel of one endpoint.

    The notification's key is the ``webhook-id``, by which the receiver recognises a repetition.
    """

    idempotent = True

    def __init__(self, settings: WebhookSettings, name: str = "webhook") -> None:
        self.name = name
        self._settings = settings
        self._host = urlsplit(settings.url).netloc  # in messages: the rest of the URL may be a secret
        self._signers = [Webhook(secret.get_secret_value()) for secret in settings.secrets]
        self._runner = asyncio.Runner()

    def check(self) -> None:
        """Connect and send an OPTIONS request, which by HTTP changes nothing; any answer but 410 will do."""
        status, _ = self._runner.run(self._request("OPTIONS", {}, None))
        if status == _GONE:
            raise GoneError(f"{self._host} answers 410: it wants no more webhooks")

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Post the notification; raise as the port says."""
        body = msgspec.json.encode(_payload(notification))
        headers = self._signed(notification.dedup_key, body) | {"content-type": "application/json"}
        status, answer = self._runner.run(self._request("POST", headers, body))
        if not 200 <= status < 300:
            raise _failure(self._host, status, answer)
        return DeliveryReceipt()

    def close(self) -> None:
        """Free the event loop; a connection lasts for one request only."""
        self._runner.close()

    def _signed(self, key: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        signatures = [signer.sign(key, now, body.decode()) for signer in self._signers]
        return {
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    async def _request(
        self, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str]]:
        """Return status and headers of the answer; raise TemporaryError where there is none."""
        settings = self._settings
        connector = aiohttp.TCPConnector(
            force_close=True, socket_factory=None if settings.internal else _public_socket
        )
        timeout = aiohttp.ClientTimeout(total=settings.timeout_seconds, sock_connect=_CONNECT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.request(
                    method, settings.url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return response.status, response.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TemporaryError(f"{self._host} can't be reached: {error}") from error
        except TimeoutError as error:
            raise UnknownOutcomeError(
                f"{self._host} didn't answer within {settings.timeout_seconds:g} s"
            ) from error
        except aiohttp.ClientError as error:
            raise UnknownOutcomeError(f"{self._host} broke the connection: {error}") from error


def _payload(notification: Notification) -> _Payload:
    alerts = notification.alerts
    kind = f"alert.{alerts[0].change}" if len(alerts) == 1 else "alerts.digest"
    changed_at = max(alert.changed_at for alert in alerts)
    return _Payload(kind, iso(changed_at), _Data(notification.recipient, alerts))


def _failure(host: str, status: int, headers: Mapping[str, str]) -> PermanentError | TemporaryError:
    if status == _GONE:
        return GoneError(f"{host} answered 410: it wants no more webhooks")
    if status in _CONTENT_REFUSED:
        return PermanentError(f"{host} refused this notification: {status}")
    return TemporaryError(f"{host} answered {status}", _retry_after(headers.get("retry-after", "")))


def _retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or as a date (RFC 9110)."""
    try:
        seconds = (
            float(value)
            if value.isdecimal()
            else (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        )
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_SECONDS)


def _public_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """
    Return a socket for an address of the public Internet; raise OSError for any other.

    It is asked for the very address that is connected to, so no answer of DNS gets around it.
    """
    family, kind, protocol, _, place = address
    ip: Any = ipaddress.ip_address(place[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if not ip.is_global or ip.is_multicast:
        reason = f"{ip} is not a public address; set internal for a receiver in your own network"
        raise OSError(errno.EACCES, reason)
    return socket.socket(family, kind, protocol)
