"""Sink that notifies people through a channel, so that delivery can run the channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from schemas.records import AlertNotification
from sinks.notify.delivery import DeliveryStore, deliver
from sinks.notify.port import (
    Channel,
    ChannelError,
    ErasableChannel,
    Notification,
    TemporaryError,
    is_quiet,
)
from sinks.port import DeliveryOrder, Output, Rejected, SinkError, Subject

__all__ = ["ChannelSink"]

Route = Callable[[AlertNotification], str | None]
"""Returns the address of a notification in the channel, ``None`` where the channel doesn't take it."""


class ChannelSink:
    """
    Sink of one channel, which takes notifications alone.

    ``channel`` and ``store`` are made when the sink is opened. ``clock`` returns UTC milliseconds.
    """

    records = frozenset[type[Output]]({AlertNotification})
    once: Literal[True] = True

    def __init__(
        self,
        name: str,
        channel: Callable[[], Channel],
        store: Callable[[], DeliveryStore],
        route: Route,
        clock: Callable[[], int],
    ) -> None:
        self.name = name
        self._make_channel, self._make_store = channel, store
        self._channel: Channel | None = None
        self._store: DeliveryStore | None = None
        self._route, self._clock = route, clock

    def open(self) -> None:
        """
        Make the channel; raise SinkSettingsError where its settings can't be used.

        The service is not asked: while it is away, its notifications wait.
        """
        self._channel = self._channel or self._make_channel()
        self._store = self._store or self._make_store()

    def write(self, batch: Sequence[Output], /) -> None:
        """
        Deliver each notification, in the batch's order.

        Raises SinkError at the first one that must be tried again, and Rejected for one that never can be.
        """
        assert self._channel is not None
        assert self._store is not None
        try:
            for index, content in enumerate(batch):
                assert isinstance(content, AlertNotification)
                address = self._address(content)
                if address is None:
                    continue
                notification = Notification(content=content, address=address)
                error = deliver(self._channel, self._store, notification, self._clock()).error
                if error is not None:
                    raise Rejected(index, error)
        except TemporaryError as error:
            raise SinkError(str(error), error.retry_after) from error

    def order(self, record: Output, /) -> DeliveryOrder | None:
        """Return the notification's thread and address, ``None`` where the channel doesn't take it."""
        assert isinstance(record, AlertNotification)
        address = self._address(record)
        if address is None:
            return None
        return DeliveryOrder(Notification(content=record, address=address).thread, address)

    def _address(self, content: AlertNotification) -> str | None:
        """Return the address of a notification, ``None`` where the channel doesn't take it."""
        assert self._channel is not None
        of_others = content.channel not in ("", self.name)
        if of_others or (is_quiet(content) and not self._channel.updates):
            return None
        return self._route(content)

    def taken_over(self) -> None:
        """Learn what other members of the channel's group delivered; raise SinkError."""
        assert self._store is not None
        try:
            self._store.catch_up()
        except TemporaryError as error:
            raise SinkError(str(error), error.retry_after) from error

    def check(self) -> None:
        """Do everything that a delivery does without notifying anybody; raise SinkError."""
        assert self._channel is not None
        try:
            self._channel.check()
        except ChannelError as error:
            raise SinkError(str(error)) from error

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """Remove the messages that name the subject, where the channel keeps any; raise SinkError."""
        if not isinstance(self._channel, ErasableChannel):
            return {}
        try:
            return {"messages": self._channel.erase(subject.texts, dry_run=dry_run)}
        except ChannelError as error:
            raise SinkError(str(error)) from error

    def close(self) -> None:
        """Close the channel and the store."""
        if self._channel is not None:
            self._channel.close()
        if self._store is not None:
            self._store.close()
