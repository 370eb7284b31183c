"""Channel in memory, and a store of deliveries in memory: for tests, and for embedding in one process."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import TypeVar

from sinks.notify.delivery import DeliveryStatus
from sinks.notify.port import ChannelError, DeliveryReceipt, Notification, UnknownOutcomeError

__all__ = ["MemoryChannel", "MemoryStore"]

Kept = TypeVar("Kept")


class MemoryChannel:
    """
    Channel whose ``inbox`` holds what a person would see, oldest first.

    A repeated key is recognised and seen once. Each attempt raises the next of ``faults``, if there is any;
    UnknownOutcomeError is raised after the message has arrived, any other error before.
    """

    name = "memory"
    idempotent = True
    updates = True

    def __init__(self, faults: Iterable[ChannelError] = ()) -> None:
        self.faults = deque(faults)
        self._inbox: dict[str, Notification] = {}

    @property
    def inbox(self) -> list[Notification]:
        """The notifications that arrived."""
        return list(self._inbox.values())

    def check(self) -> None:
        """Raise the next fault, if there is any."""
        if self.faults:
            raise self.faults.popleft()

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        """Put the notification into the inbox; raise the next fault, if there is any."""
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and not isinstance(fault, UnknownOutcomeError):
            raise fault
        self._inbox.setdefault(notification.dedup_key, notification)
        if fault is not None:
            raise fault
        return DeliveryReceipt(message_id=notification.earlier or notification.dedup_key)

    def close(self) -> None:
        """Do nothing; the inbox stays readable."""


class MemoryStore:
    """Store of the newest deliveries; a restart forgets them all."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._deliveries: OrderedDict[str, DeliveryStatus] = OrderedDict()
        self._messages: OrderedDict[str, str] = OrderedDict()

    def catch_up(self) -> None:
        """Do nothing; nobody else stores here."""

    def get(self, dedup_key: str, /) -> DeliveryStatus | None:
        """Return the delivery, or ``None``."""
        return self._deliveries.get(dedup_key)

    def message_id(self, thread: str, /) -> str | None:
        """Return the id of the newest message that was delivered about this."""
        return self._messages.get(thread)

    def put(self, delivery: DeliveryStatus, /) -> None:
        """Store the delivery; the oldest goes when there are too many."""
        _keep(self._deliveries, delivery.dedup_key, delivery, self._most)
        if delivery.state == "success" and delivery.message_id is not None:
            _keep(self._messages, delivery.thread, delivery.message_id, self._most)

    def close(self) -> None:
        """Do nothing; everything stored stays readable."""


def _keep(kept: OrderedDict[str, Kept], key: str, value: Kept, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
