"""
Webhook channel: posts notifications as JSON, signed by the Standard Webhooks specification 1.0.0.

Source: https://github.com/standard-webhooks/standard-webhooks, ``spec/standard-webhooks.md``, for the headers
and the signatures (several while a secret is rotated), the meaning of status codes, the time limit, no
redirects, and the guard against server-side request forgery.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from standardwebhooks import Webhook

from schemas.records import AlertNotification, RiskAlert
from schemas.times import iso
from sinks.notify.http import HttpEndpoint, failure
from sinks.notify.links import Links
from sinks.notify.port import DeliveryReceipt, GoneError, Notification
from sinks.notify.webhook.settings import WebhookSettings

__all__ = ["WebhookChannel"]

_GONE = 410
_KINDS = {"digest": "alerts.digest", "page": "alerts.page", "escalation": "alert.escalated"}


class _Data(msgspec.Struct, frozen=True):
    recipient: str
    kind: str
    severity: str
    lane: str
    title: str
    notes: list[str]
    more: int
    url: str | None
    alerts: list[RiskAlert]


class _Payload(msgspec.Struct, frozen=True):
    """Body of a notification; ``type`` is ``alert.opened`` (or another change), or what its kind says."""

    type: str
    timestamp: str
    data: _Data


class WebhookChannel:
    """
    Channel of one endpoint.

    The notification's key is the ``webhook-id``, by which the receiver recognises a repetition. The receiver
    is a program, which gets every change.
    """

    idempotent = True
    updates = True

    def __init__(self, settings: WebhookSettings, name: str = "webhook", links: Links | None = None) -> None:
        self.name = name
        self._links = links or Links()
        self._endpoint = HttpEndpoint(settings.url, settings.timeout_seconds, internal=settings.internal)
        secrets = (settings.secret, settings.old_secret)
        self._signers = [Webhook(secret.get_secret_value()) for secret in secrets if secret is not None]

    def check(self) -> None:
        """Connect and send an OPTIONS request; any answer but 410 will do."""
        if self._endpoint.options().status == _GONE:
            raise GoneError(f"{self._endpoint.host} answers 410: it wants no more messages")

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Post the notification; raise as the port says."""
        body = msgspec.json.encode(_payload(notification.content, self._links))
        answer = self._endpoint.post(body, self._signed(notification.dedup_key, body))
        if not answer.good:
            raise failure(self._endpoint.host, answer)
        return DeliveryReceipt()

    def close(self) -> None:
        """Close the endpoint."""
        self._endpoint.close()

    def _signed(self, key: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        signatures = [signer.sign(key, now, body.decode()) for signer in self._signers]
        return {
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _payload(content: AlertNotification, links: Links) -> _Payload:
    kind = _KINDS.get(content.kind) or f"alert.{content.alerts[0].change if content.alerts else 'unknown'}"
    alone = content.alerts[0] if len(content.alerts) == 1 else None
    return _Payload(
        kind,
        iso(content.created_at),
        _Data(
            content.recipient,
            content.kind,
            content.severity,
            content.lane,
            content.title,
            content.notes,
            content.more,
            links.account(alone) if alone else links.console,
            content.alerts,
        ),
    )
