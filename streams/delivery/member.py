"""Member of one sink's consumer group: its subscription, its pauses, and its departure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Thread

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from schemas.connection import Connection
from streams.delivery.broker_watch import BrokerWatch
from streams.delivery.subscription import Subscription
from streams.kafka.consumer_group import leave_group
from streams.kafka.log_position import LogPosition, Part

__all__ = ["GroupMember"]

_LEAVE_SECONDS = 8.0

OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]
OnRebalance = Callable[[Consumer, list[TopicPartition]], None]


class GroupMember:
    """
    A member of the consumer group of one sink.

    ``idle`` says that it fetches nothing: it is paused, or holds its partitions until ``restart``. It must
    still be polled then, or the group would replace it; a record that was on its way when it was paused is
    kept for the next ``take``.

    A partition is never paused or resumed close to an assignment. librdkafka starts assigned partitions in a
    thread of its own, and a pause or resume that gets between the number and the sending of that start
    makes it count as outdated: the partition would not be fetched until the next assignment.
    """

    def __init__(
        self,
        connection: Connection,
        subscription: Subscription,
        session_seconds: float,
        watch: BrokerWatch,
        on_commit: OnCommit,
    ) -> None:
        self._paused, self._held = False, True
        self._early: list[Message] = []
        self._subscription = subscription
        self.consumer = Consumer(
            {
                **connection.librdkafka(),
                "group.id": subscription.group,
                "client.id": f"bellbuoy-deliver-{subscription.sink}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                # It always starts at an offset; one that is not there is looked into (resume.py).
                "auto.offset.reset": "error",
                # Range: all outputs of a partition have one owner, so an account's outputs stay in order.
                "partition.assignment.strategy": "range",
                "session.timeout.ms": int(session_seconds * 1000),
                "heartbeat.interval.ms": int(session_seconds * 250),
                # Ends of partitions are reported, because a transaction's markers count as offsets.
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "fetch.queue.backoff.ms": 10,
                "reconnect.backoff.max.ms": 2000,
                # A commit on leaving waits no longer for a broker that is gone.
                "socket.timeout.ms": 10_000,
                "on_commit": on_commit,
                "error_cb": watch.trouble,
                "log_level": 2,  # the error callback reports everything else, once
            }
        )

    @property
    def idle(self) -> bool:
        """Whether no record is fetched, so that nothing of it tells where the partitions end."""
        return self._paused or self._held

    def subscribe(self, on_assign: OnRebalance, on_revoke: OnRebalance, on_lost: OnRebalance) -> None:
        """Join the group."""
        self.consumer.subscribe(
            list(self._subscription.names), on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost
        )

    def take(self, limit: int, wait_seconds: float = 0.1) -> list[Message]:
        """Return up to *limit* messages; block for the first only, so that a lone record is not delayed."""
        messages, self._early = self._early, []
        if not messages:
            first = self.consumer.poll(wait_seconds)
            messages = [] if first is None else [first]
        if 0 < len(messages) < limit:
            messages += self.consumer.consume(limit - len(messages), 0)
        return messages

    def poll_idle(self, seconds: float) -> None:
        """Stay in the group for so long, at most 0.1 s; a record that was on its way is kept."""
        message = self.consumer.poll(min(seconds, 0.1))
        if message is not None:
            self._early.append(message)

    def pause(self) -> None:
        """Fetch no more records, but stay in the group."""
        if not self.idle:
            self._paused = True
            self.consumer.pause(self.consumer.assignment())

    def resume(self) -> None:
        """Fetch records again, after a pause."""
        if self._paused:
            self._paused = False
            self.consumer.resume(self.consumer.assignment())

    def hold(self) -> None:
        """Keep partitions in the group and fetch none of them until ``restart``; for ``on_assign``, too."""
        self.release()
        self.consumer.assign([])

    def release(self) -> None:
        """Forget what was fetched, and let no partition stay paused when it goes; for ``on_revoke``."""
        self.resume()
        self._early, self._held = [], True

    def restart(self, starts: Mapping[Part, LogPosition]) -> None:
        """Fetch from these positions, and drop what was fetched before."""
        self.release()
        self.consumer.assign([TopicPartition(*part, at.offset) for part, at in starts.items()])
        self._held = False

    def leave(self) -> bool:
        """
        Leave the group and return True, or False when it takes longer than 8 s.

        Without a broker the client would wait for minutes to do so, and the group notices by itself.
        """
        leaving = Thread(target=leave_group, args=(self.consumer,), daemon=True)
        leaving.start()
        leaving.join(_LEAVE_SECONDS)
        return not leaving.is_alive()
