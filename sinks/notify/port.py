"""
Port of notification channels: what delivers an alert to a person, once and with a receipt.

A channel decides nothing: whom to notify, of what and when is decided before, in the rules and the routing.
It delivers a notification and reports what became of it. ``sinks/notify/delivery.py`` is the procedure around
every channel, with what a crash costs at each step.

Source of the words: channel, notification event and delivery status are those of OpenMeter
(https://github.com/openmeterio/openmeter, ``openmeter/notification``); ``notify`` with an error that says
whether to retry is Alertmanager's (https://github.com/prometheus/alertmanager, ``notify``).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

import msgspec

from schemas.records import RiskAlert

__all__ = [
    "Channel",
    "ChannelError",
    "DeliveryReceipt",
    "GoneError",
    "Notification",
    "PermanentError",
    "TemporaryError",
    "UnknownOutcomeError",
]


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message to one recipient: the change of an alert, or of several alerts in a digest.

    ``recipient`` is an address in the channel's own form, such as an e-mail address or a Slack user id. The
    words are in the alerts (title, reasons, action); a channel only puts them into its markup and escapes
    them.
    """

    recipient: str
    alerts: tuple[RiskAlert, ...]

    @property
    def dedup_key(self) -> str:
        """
        The same 32 hex digits for the same change of the same alerts to the same recipient, for ever.

        A replay of the journal gives the same alerts, so it gives the same keys.
        """
        versions = [(a.alert_id, a.change, a.changed_at, a.sequence) for a in self.alerts]
        return blake2b(msgspec.json.encode((self.recipient, versions)), digest_size=16).hexdigest()


class DeliveryReceipt(msgspec.Struct, frozen=True):
    """Proof that the channel's service took a notification; ``message_id`` is its own id of the message."""

    message_id: str | None = None


class ChannelError(Exception):
    """A notification was not delivered."""


class TemporaryError(ChannelError):
    """It was not delivered now; try the same notification again after *retry_after* seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownOutcomeError(TemporaryError):
    """It was sent and the answer was lost, so the recipient may have it; try again with the same key."""


class PermanentError(ChannelError):
    """The service never takes this notification; another attempt would end the same way."""


class GoneError(PermanentError):
    """
    The recipient's address is closed for good, such as by HTTP 410 or an unsubscription.

    Operator action: remove the address, or correct it.
    """


class Channel(Protocol):
    """
    One way to reach people.

    It is called from one thread, with one notification at a time, and bounds every wait by itself.

    ``name`` is the metrics label and the last part of the consumer group. ``idempotent`` says whether the
    service or the receiver recognises a second message with the same key, so that the person sees one.
    """

    name: str
    idempotent: bool

    def check(self) -> None:
        """Do everything that a delivery does without notifying anybody; raise ChannelError."""

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """
        Deliver the notification, marked with its key, and return once the service has taken it.

        Raises TemporaryError, UnknownOutcomeError, PermanentError and GoneError, and no other errors for
        what the service or the network does.
        """

    def close(self) -> None:
        """Close the connections; called once, also after a failed ``check``."""
