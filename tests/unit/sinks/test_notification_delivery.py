"""The procedure around a channel: what a crash costs at each of its steps, and what is stored."""

from __future__ import annotations

import pytest

from sinks.notify.delivery import DeliveryStatus, deliver
from sinks.notify.memory import MemoryChannel, MemoryStore
from sinks.notify.port import DeliveryReceipt, GoneError, Notification, TemporaryError, UnknownOutcomeError
from sinks.notify.sink import ChannelSink
from sinks.port import Rejected, SinkError
from tests.support.output_records import alert

NOTIFICATION = Notification(recipient="ann", alerts=(alert(),))
KEY = NOTIFICATION.dedup_key


class Crash(BaseException):
    """The process ends here."""


class Post(MemoryChannel):
    """Counts the messages that went out; a person sees each, as no key is recognised."""

    idempotent = False

    def __init__(self, *, crash_before: bool = False, crash_after: bool = False) -> None:
        super().__init__()
        self.sent = 0
        self.crash_before, self.crash_after = crash_before, crash_after

    def notify(self, notification: Notification, /) -> DeliveryReceipt:
        if self.crash_before:
            self.crash_before = False
            raise Crash
        self.sent += 1
        if self.crash_after:
            self.crash_after = False
            raise Crash
        return DeliveryReceipt(f"m{self.sent}")


class Store(MemoryStore):
    """Ends the process before or after a status is stored; what was stored survives."""

    def __init__(self, *, before: str = "", after: str = "") -> None:
        super().__init__()
        self.before, self.after = before, after

    def put(self, delivery: DeliveryStatus, /) -> None:
        if delivery.state == self.before:
            self.before = ""
            raise Crash
        super().put(delivery)
        if delivery.state == self.after:
            self.after = ""
            raise Crash


@pytest.mark.parametrize(
    ("channel", "store", "sent"),
    [
        (Post(), Store(before="sending"), 1),  # 1
        (Post(), Store(after="sending"), 1),  # 2, the message did not go out
        (Post(crash_before=True), Store(), 1),  # 2
        (Post(crash_after=True), Store(), 2),  # 2, it went out
        (Post(), Store(before="success"), 2),  # 3
        (Post(), Store(after="success"), 1),  # 4
    ],
)
def test_a_crash_costs_a_second_message_where_nobody_knows_of_the_first(
    channel: Post, store: Store, sent: int
) -> None:
    with pytest.raises(Crash):
        deliver(channel, store, NOTIFICATION)

    for _ in range(3):
        assert deliver(channel, store, NOTIFICATION).state == "success"
    assert channel.sent == sent


@pytest.mark.parametrize("store", [Store(after="sending"), Store(before="success"), Store(after="success")])
def test_an_idempotent_channel_is_seen_once_whatever_crashes(store: Store) -> None:
    channel = MemoryChannel()
    with pytest.raises(Crash):
        deliver(channel, store, NOTIFICATION)

    deliver(channel, store, NOTIFICATION)
    deliver(channel, MemoryStore(), NOTIFICATION)  # a store that forgot

    assert channel.inbox == [NOTIFICATION]


def test_the_status_goes_from_sending_to_success() -> None:
    channel, store = MemoryChannel([TemporaryError("busy", 3.0), UnknownOutcomeError("lost")]), MemoryStore()
    assert store.get(KEY) is None

    for _ in range(2):
        with pytest.raises(TemporaryError):
            deliver(channel, store, NOTIFICATION)
        assert store.get(KEY) == DeliveryStatus(dedup_key=KEY, state="sending")

    assert deliver(channel, store, NOTIFICATION) == store.get(KEY)
    assert store.get(KEY) == DeliveryStatus(dedup_key=KEY, state="success", message_id=KEY)


def test_a_failure_is_stored_and_not_tried_again() -> None:
    channel, store = MemoryChannel([GoneError("unsubscribed")]), MemoryStore()

    for _ in range(2):
        assert deliver(channel, store, NOTIFICATION).error == "unsubscribed"

    assert channel.inbox == []


def test_a_key_is_the_same_for_the_same_change_for_ever() -> None:
    assert KEY == "79061884c7ab7f987be6bab276b2e652"


def test_a_store_keeps_the_newest() -> None:
    store = MemoryStore(most=2)
    for key in "abac":
        store.put(DeliveryStatus(dedup_key=key, state="success"))

    assert [key for key in "abc" if store.get(key)] == ["a", "c"]


def test_every_other_recipient_is_notified_when_one_is_gone() -> None:
    channel, store = MemoryChannel(), MemoryStore()
    sink = ChannelSink(
        channel, store, lambda alert: ["ann", "gone", "ben"] if alert.alert_id == "a2" else ["ann"]
    )
    gone = Notification(recipient="gone", alerts=(alert("a2"),))
    store.put(DeliveryStatus(dedup_key=gone.dedup_key, state="failed", error="gone: unsubscribed"))

    with pytest.raises(Rejected, match="gone: unsubscribed") as rejected:
        sink.write([alert("a1"), alert("a2"), alert("a3")])
    assert rejected.value.index == 1
    sink.write([alert("a1"), alert("a3")])

    assert [(n.recipient, n.alerts[0].alert_id) for n in channel.inbox] == [
        ("ann", "a1"),
        ("ann", "a2"),
        ("ben", "a2"),
        ("ann", "a3"),
    ]


def test_a_busy_channel_says_when_to_come_again_and_nobody_is_told_twice() -> None:
    channel = MemoryChannel()
    sink = ChannelSink(channel, MemoryStore(), lambda _: ["ann", "ben"])
    sink.open()
    sink.write([alert("a1")])
    channel.faults.append(TemporaryError("busy", 7.0))

    with pytest.raises(SinkError, match="busy") as error:
        sink.write([alert("a1"), alert("a2")])
    assert error.value.retry_after == 7.0
    sink.write([alert("a1"), alert("a2")])

    assert len(channel.inbox) == 4
