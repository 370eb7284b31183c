"""
Port of notification channels: what delivers a notification to a person, once and with a receipt.

A channel decides nothing: whom to notify, of what and when is decided before, in the owners' fold, which
writes ``alert.notifications``. It delivers a notification and reports what became of it.
``sinks/notify/delivery.py`` is the procedure around every channel, with what a crash costs at each step.

Source of the words: channel, notification event and delivery status are those of OpenMeter
(https://github.com/openmeterio/openmeter, ``openmeter/notification``); ``notify`` with an error that says
whether to retry is Alertmanager's (https://github.com/prometheus/alertmanager, ``notify``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import msgspec

from schemas.records import AlertNotification

__all__ = [
    "Channel",
    "ChannelError",
    "DeliveryReceipt",
    "ErasableChannel",
    "GoneError",
    "Notification",
    "PermanentError",
    "TemporaryError",
    "UnknownOutcomeError",
    "is_quiet",
]


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """
    A decided notification on its way to one address.

    ``address`` is in the channel's own form, such as an e-mail address or a Slack user id; empty where the
    channel has but one. ``earlier`` is the service's id of the message that this one changes, where one was
    sent to this address and its id is known.
    """

    content: AlertNotification
    address: str = ""
    earlier: str | None = None

    @property
    def dedup_key(self) -> str:
        """The id of the notification: the same when it is decided or sent again, for ever."""
        return self.content.notification_id

    @property
    def thread(self) -> str:
        """
        What the message is about, to this address: notifications of one alert share it.

        A digest is about itself alone, and so is an escalation, which must be seen beside what was sent
        before, and what was redriven, which may be older than that.
        """
        content = self.content
        about = content.notification_id
        if len(content.alerts) == 1 and not content.redriven and content.kind not in ("digest", "escalation"):
            about = content.alerts[0].alert_id
        return f"{about} {self.address}"


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
    ``updates`` says whether a later notification of an alert changes the message that is there, instead of
    being one more; a channel that can't is not given what nobody need notice (``is_quiet``).
    """

    name: str
    idempotent: bool

    @property
    def updates(self) -> bool:
        """Whether it changes the earlier message of an alert."""

    def check(self) -> None:
        """Do everything that a delivery does without notifying anybody; raise ChannelError."""

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """
        Deliver the notification, marked with its key, and return once the service has taken it.

        Where ``earlier`` is set and the service can change a message, that message is changed. Raises
        TemporaryError, UnknownOutcomeError, PermanentError and GoneError, and no other errors for what the
        service or the network does.
        """

    def close(self) -> None:
        """Close the connections; called once, also after a failed ``check``."""


def is_quiet(content: AlertNotification) -> bool:
    """
    Tell whether a notification only brings an earlier message up to date, so that nobody need notice it.

    What opens, escalates, gets worse, wakes, goes to somebody else or ends is not quiet; nor is a digest.
    """
    changes = {alert.change for alert in content.alerts}
    return content.kind in ("alert", "page") and not content.attention and changes == {"updated"}


@runtime_checkable
class ErasableChannel(Protocol):
    """Addition to a channel that keeps what it delivered, and can remove it."""

    def erase(self, texts: Iterable[str], /, *, dry_run: bool = False) -> int:
        """Remove the messages that name somebody by these texts; return how many. Raises ChannelError."""
