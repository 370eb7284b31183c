"""
Procedure around every channel: a notification is delivered through it once, as far as that can be had.

The state of a delivery goes from pending (nothing is stored) to sending, and from there to success or failed.
What a crash costs at each step:

1. Before ``sending`` is stored: nothing. The alert is consumed again.
2. Between that and the channel's answer: it is not known whether the message went out, so it is sent again.
   The recipient sees it once where the channel is idempotent, and may see it twice otherwise.
3. Between the answer and storing ``success``: as in 2.
4. After ``success`` or ``failed`` is stored and before the alert's offset is committed: nothing. The alert is
   consumed again and the stored state is found.

So the caller gives *at least once*; *once for the person* comes from the dedup key where the channel is
idempotent, and otherwise from the store, but for the moment in 2 and 3. A store that forgets (``MemoryStore``
does at a restart) turns 4 into 2.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from sinks.notify.port import Channel, Notification, PermanentError

__all__ = ["DeliveryStatus", "DeliveryStore", "deliver"]


class DeliveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """State of a notification's delivery: ``message_id`` is the service's, ``error`` says why it failed."""

    dedup_key: str
    state: Literal["sending", "success", "failed"]
    message_id: str | None = None
    error: str | None = None


class DeliveryStore(Protocol):
    """Store of the deliveries through one channel, by the key of the notification."""

    def get(self, dedup_key: str, /) -> DeliveryStatus | None:
        """Return the delivery, or ``None`` for one that is pending or forgotten."""

    def put(self, delivery: DeliveryStatus, /) -> None:
        """Return once the delivery is stored as durably as this store can."""


def deliver(channel: Channel, store: DeliveryStore, notification: Notification) -> DeliveryStatus:
    """
    Deliver a notification unless that was done before, and return what became of it.

    Raises TemporaryError when it must be tried again; its state is ``sending`` until then.
    """
    key = notification.dedup_key
    known = store.get(key)
    if known is not None and known.state != "sending":
        return known
    store.put(DeliveryStatus(dedup_key=key, state="sending"))
    try:
        receipt = channel.notify(notification)
    except PermanentError as error:
        delivery = DeliveryStatus(dedup_key=key, state="failed", error=str(error))
    else:
        delivery = DeliveryStatus(dedup_key=key, state="success", message_id=receipt.message_id)
    store.put(delivery)
    return delivery
