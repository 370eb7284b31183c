"""
Procedure around every channel: a notification is delivered through it once, as far as that can be had.

The state of a delivery goes from pending (nothing is stored) to success or failed, by way of retrying where
an attempt failed. What a crash costs at each step:

1. Before the channel sends: nothing. The notification is consumed again.
2. While it sends: it is not known whether the message went out, so it is sent again. The recipient sees it
   once where the channel is idempotent, and may see it twice otherwise, with the same id.
3. Between the channel's answer and storing ``success``: as in 2.
4. After ``success`` or ``failed`` is stored and before the notification's offset is committed: nothing. The
   notification is consumed again and the stored state is found.

So the caller gives *at least once*; *once for the person* comes from the dedup key where the channel is
idempotent, and otherwise from the store, but for the moment in 2 and 3.

A notification that can't be delivered for a day has failed: it is no news any more. An address that is closed
for good gets nothing more until a sample is delivered to it (`bellbuoy notify test`).
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from schemas.times import DAY
from sinks.notify.port import Channel, GoneError, Notification, PermanentError, TemporaryError

__all__ = ["GIVE_UP", "DeliveryStatus", "DeliveryStore", "deliver", "reopen"]

GIVE_UP = DAY
"""Milliseconds from the first attempt to deliver a notification after which it has failed."""


class DeliveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """
    State of a notification's delivery.

    ``at`` is when it came into this state (UTC milliseconds; of ``retrying``, the first attempt). ``thread``
    is what the message is about, ``message_id`` the service's id of it, and ``error`` says why it failed.
    ``redriven`` is the dead letter that the notification came from, empty when it was sent first.
    """

    dedup_key: str
    state: Literal["retrying", "success", "failed"]
    at: int
    thread: str = ""
    message_id: str | None = None
    error: str | None = None
    redriven: str = ""


class DeliveryStore(Protocol):
    """
    Store of the deliveries through one channel, by the key of the notification.

    Every method raises TemporaryError while the store is away.
    """

    def catch_up(self) -> None:
        """Learn what other members of the channel's group stored."""

    def get(self, dedup_key: str, /) -> DeliveryStatus | None:
        """Return the delivery, or ``None`` for one that is pending or forgotten."""

    def message_id(self, thread: str, /) -> str | None:
        """Return the id of the newest message that was delivered about this."""

    def put(self, delivery: DeliveryStatus, /) -> None:
        """Return once the delivery is stored as durably as this store can."""

    def close(self) -> None:
        """Free what the store holds of the process."""


def deliver(channel: Channel, store: DeliveryStore, notification: Notification, now: int) -> DeliveryStatus:
    """
    Deliver a notification unless that was done before, and return what became of it.

    One that has failed is tried anew when it was redriven since. It is then a message of its own: what
    people have by now may be newer.

    ``now`` is the wall clock's time, UTC milliseconds. Raises TemporaryError when it must be tried again.
    """
    key, thread, redriven = notification.dedup_key, notification.thread, notification.content.redriven
    known = store.get(key)
    if known is not None and known.redriven != redriven and known.state != "success":
        known = None
    if known is not None and known.state != "retrying":
        return known
    closed = store.get(_closed(notification.address))
    delivery = DeliveryStatus(dedup_key=key, state="failed", at=now, thread=thread, redriven=redriven)
    earlier = None if redriven else store.message_id(thread)
    try:
        if closed is not None and closed.state == "failed":
            raise PermanentError(f"{closed.error}; nothing more is sent there")  # noqa: TRY301 - as the channel's
        receipt = channel.notify(msgspec.structs.replace(notification, earlier=earlier))
    except PermanentError as error:
        if isinstance(error, GoneError):
            store.put(
                DeliveryStatus(
                    dedup_key=_closed(notification.address), state="failed", at=now, error=str(error)
                )
            )
        delivery = msgspec.structs.replace(delivery, error=str(error))
    except TemporaryError as error:
        if known is None:
            store.put(msgspec.structs.replace(delivery, state="retrying"))
        if known is None or now - known.at < GIVE_UP:
            raise
        delivery = msgspec.structs.replace(delivery, error=f"it was tried for a day: {error}")
    else:
        delivery = msgspec.structs.replace(delivery, state="success", message_id=receipt.message_id)
    store.put(delivery)
    return delivery


def reopen(store: DeliveryStore, address: str, now: int) -> bool:
    """Send to an address again that was closed for good; return whether it was closed."""
    closed = store.get(_closed(address))
    if closed is None or closed.state != "failed":
        return False
    store.put(DeliveryStatus(dedup_key=_closed(address), state="success", at=now))
    return True


def _closed(address: str) -> str:
    return f"closed {address}"
