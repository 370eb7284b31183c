"""Sink that notifies people of alerts through a channel, so that delivery can run the channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from schemas.records import RiskAlert
from sinks.notify.delivery import DeliveryStore, deliver
from sinks.notify.port import Channel, ChannelError, Notification, TemporaryError
from sinks.port import Output, Rejected, SinkError

__all__ = ["ChannelSink"]


class ChannelSink:
    """
    Sink of one channel, which takes alerts alone.

    ``recipients`` are the addresses that are to be notified of a change of an alert, none for most: which
    they are is decided by whoever builds this sink. The consumer group of a new channel begins with the
    oldest alert on the topic, so old ones must be given no recipients.
    """

    records = frozenset[type[Output]]({RiskAlert})

    def __init__(
        self, channel: Channel, store: DeliveryStore, recipients: Callable[[RiskAlert], Iterable[str]]
    ) -> None:
        self.name = channel.name
        self._channel, self._store, self._recipients = channel, store, recipients

    def open(self) -> None:
        """Check the channel; raise SinkError."""
        try:
            self._channel.check()
        except ChannelError as error:
            raise _sink_error(error) from error

    def write(self, batch: Sequence[Output], /) -> None:
        """
        Notify the recipients of each alert, in the batch's order.

        Raises SinkError at the first notification that must be tried again, and Rejected for an alert that a
        recipient can never be notified of; its other recipients are notified before.
        """
        for index, alert in enumerate(batch):
            assert isinstance(alert, RiskAlert)
            errors = [error for error in map(self._notify, self._addressed(alert)) if error is not None]
            if errors:
                raise Rejected(index, "; ".join(errors))

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def _addressed(self, alert: RiskAlert) -> list[Notification]:
        return [Notification(recipient=to, alerts=(alert,)) for to in self._recipients(alert)]

    def _notify(self, notification: Notification) -> str | None:
        try:
            return deliver(self._channel, self._store, notification).error
        except TemporaryError as error:
            raise _sink_error(error) from error


def _sink_error(error: ChannelError) -> SinkError:
    return SinkError(str(error), error.retry_after if isinstance(error, TemporaryError) else None)
