"""
Procedure around every channel: a notification is delivered through it once, as far as that can be had.

The status of a delivery goes from pending (nothing is stored) to sending to success or failed. What a crash
costs at each step:

1. Before ``sending`` is stored: nothing. The alert is consumed again.
2. Between that and the channel's answer: it is not known whether the message went out, so it is sent again.
   The recipient sees it once where the channel is idempotent, and may see it twice otherwise.
3. Between the answer and storing ``success``: as in 2.
4. After ``success`` or ``failed`` is stored and before the alert's offset is committed: nothing. The alert is
   consumed again and the stored status is found.

So the caller gives *at least once*; *once for the person* comes from the dedup key where the channel is
idempotent, and otherwise from the store, but for the moment in 2 and 3. A store that forgets (``MemoryStore``
does at a restart) turns 4 into 2.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from sinks.notify.port import Channel, Notification, PermanentError

__all__ = ["Delivery", "DeliveryStore", "deliver"]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a notification: ``message_id`` is the service's, ``error`` says why it failed."""

    dedup_key: str
    status: Literal["sending", "success", "failed"]
    message_id: str | None = None
    error: str | None = None


class DeliveryStore(Protocol):
    """Store of the deliveries through one channel, by the key of the notification."""

    def get(self, dedup_key: str, /) -> Delivery | None:
        """Return the delivery, or ``None`` for one that is pending or forgotten."""

    def put(self, delivery: Delivery, /) -> None:
        """Return once the delivery is stored as durably as this store can."""


def deliver(channel: Channel, store: DeliveryStore, notification: Notification) -> Delivery:
    """
    Deliver a notification unless that was done before, and return what became of it.

    Raises TemporaryError when it must be tried again; its status is ``sending`` until then.
    """
    key = notification.dedup_key
    known = store.get(key)
    if known is not None and known.status != "sending":
        return known
    store.put(Delivery(dedup_key=key, status="sending"))
    try:
        receipt = channel.notify(notification)
    except PermanentError as error:
        delivery = Delivery(dedup_key=key, status="failed", error=str(error))
    else:
        delivery = Delivery(dedup_key=key, status="success", message_id=receipt.message_id)
    store.put(delivery)
    return delivery
