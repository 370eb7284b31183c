"""The procedure around a channel: what a crash costs at each of its steps, and what is stored."""

from __future__ import annotations

import msgspec
import pytest

from schemas.records import AlertNotification
from schemas.times import DAY, HOUR
from sinks.notify.delivery import DeliveryStatus, deliver, reopen
from sinks.notify.memory import MemoryChannel, MemoryStore
from sinks.notify.port import (
    DeliveryReceipt,
    GoneError,
    Notification,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)
from sinks.notify.sink import ChannelSink
from sinks.port import Rejected, SinkError
from tests.support.output_records import alert, notification

NOTIFICATION = Notification(content=notification("n1", alert("a1")), address="ann@example.com")
NOW = 1_760_000_000_000


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
        (Post(crash_before=True), Store(), 1),  # 1
        (Post(crash_after=True), Store(), 2),  # 2
        (Post(), Store(before="success"), 2),  # 3
        (Post(), Store(after="success"), 1),  # 4
    ],
)
def test_a_crash_costs_a_second_message_where_nobody_knows_of_the_first(
    channel: Post, store: Store, sent: int
) -> None:
    with pytest.raises(Crash):
        deliver(channel, store, NOTIFICATION, NOW)

    for _ in range(3):
        assert deliver(channel, store, NOTIFICATION, NOW).state == "success"
    assert channel.sent == sent


@pytest.mark.parametrize("store", [Store(before="success"), Store(after="success")])
def test_an_idempotent_channel_is_seen_once_whatever_crashes(store: Store) -> None:
    channel = MemoryChannel()
    with pytest.raises(Crash):
        deliver(channel, store, NOTIFICATION, NOW)

    deliver(channel, store, NOTIFICATION, NOW)
    deliver(channel, MemoryStore(), NOTIFICATION, NOW)  # a store that forgot

    assert channel.inbox == [NOTIFICATION]


def test_the_status_goes_from_retrying_to_success() -> None:
    channel, store = MemoryChannel([TemporaryError("busy", 3.0), UnknownOutcomeError("lost")]), MemoryStore()
    assert store.get("n1") is None

    for later in (0, 7):
        with pytest.raises(TemporaryError):
            deliver(channel, store, NOTIFICATION, NOW + later)
        status = store.get("n1")
        assert status is not None
        assert (status.state, status.at) == ("retrying", NOW)

    assert deliver(channel, store, NOTIFICATION, NOW + 8) == store.get("n1")
    assert store.get("n1") == DeliveryStatus(
        dedup_key="n1", state="success", at=NOW + 8, thread="a1 ann@example.com", message_id="n1"
    )


def test_a_failure_is_stored_and_not_tried_again() -> None:
    channel, store = MemoryChannel([PermanentError("too large")]), MemoryStore()

    for _ in range(2):
        assert deliver(channel, store, NOTIFICATION, NOW).error == "too large"

    assert channel.inbox == []


def test_a_notification_that_is_not_taken_for_a_day_has_failed() -> None:
    channel, store = MemoryChannel([TemporaryError("500")] * 4), MemoryStore()

    for hours in (0, 1, 23):
        with pytest.raises(TemporaryError):
            deliver(channel, store, NOTIFICATION, NOW + hours * HOUR)

    assert deliver(channel, store, NOTIFICATION, NOW + DAY).error == "it was tried for a day: 500"


def test_an_address_that_is_gone_gets_nothing_more_until_it_is_opened_again() -> None:
    channel, store = MemoryChannel([GoneError("410")]), MemoryStore()
    second, third = (
        Notification(content=notification(key, alert("a2")), address=NOTIFICATION.address)
        for key in ("n2", "n3")
    )
    other = Notification(content=notification("n4", alert("a2")), address="ben@example.com")

    assert deliver(channel, store, NOTIFICATION, NOW).error == "410"
    assert deliver(channel, store, second, NOW).error == "410; nothing more is sent there"
    assert deliver(channel, store, other, NOW).state == "success"
    assert channel.inbox == [other]

    assert reopen(store, NOTIFICATION.address, NOW)
    assert not reopen(store, NOTIFICATION.address, NOW)
    assert deliver(channel, store, third, NOW).state == "success"


def test_a_change_of_an_alert_is_told_which_message_it_changes() -> None:
    channel, store = MemoryChannel(), MemoryStore()
    changed = alert("a1", 2, "updated")

    deliver(channel, store, NOTIFICATION, NOW)
    for key, content, address in [
        ("n2", notification("n2", changed), "ann@example.com"),
        ("n3", notification("n3", changed), "ben@example.com"),
        ("n4", notification("n4", changed, kind="escalation"), "ann@example.com"),
        ("n5", notification("n5", changed, kind="digest"), "ann@example.com"),
        ("n6", notification("n6", alert("a2")), "ann@example.com"),
    ]:
        assert deliver(channel, store, Notification(content=content, address=address), NOW).dedup_key == key

    assert [each.earlier for each in channel.inbox] == [None, "n1", None, None, None, None]


def test_what_has_failed_is_tried_anew_when_it_is_redriven_as_a_message_of_its_own() -> None:
    channel, store = MemoryChannel(), MemoryStore()
    first = notification("n0", alert("a1"))
    deliver(channel, store, Notification(content=first, address="ann@example.com"), NOW)
    channel.faults.append(PermanentError("refused"))
    assert deliver(channel, store, NOTIFICATION, NOW).state == "failed"

    content = msgspec.structs.replace(NOTIFICATION.content, redriven="letter", channel="notify-memory")
    again = msgspec.structs.replace(NOTIFICATION, content=content)
    channel.faults.append(PermanentError("refused again"))
    assert deliver(channel, store, again, NOW).error == "refused again"
    assert deliver(channel, store, again, NOW).error == "refused again"  # read once more, it is not retried

    content = msgspec.structs.replace(content, redriven="its letter")
    again = msgspec.structs.replace(NOTIFICATION, content=content)
    assert deliver(channel, store, again, NOW).state == "success"
    assert channel.inbox[-1].earlier is None
    assert deliver(channel, store, NOTIFICATION, NOW).state == "success"


def test_what_is_redriven_is_for_the_channel_that_failed_alone() -> None:
    channel = MemoryChannel()
    under_test = sink(channel, MemoryStore())
    mine = msgspec.structs.replace(notification("n1"), redriven="letter", channel="notify-memory")
    of_others = msgspec.structs.replace(notification("n2"), redriven="letter", channel="notify-other")

    under_test.write([mine, of_others])

    assert [each.dedup_key for each in channel.inbox] == ["n1"]
    assert under_test.order(of_others) is None


def test_a_store_keeps_the_newest() -> None:
    store = MemoryStore(most=2)
    for key in "abac":
        store.put(DeliveryStatus(dedup_key=key, state="success", at=NOW))

    assert [key for key in "abc" if store.get(key)] == ["a", "c"]


def route(content: AlertNotification) -> str | None:
    return None if content.recipient == "nobody" else f"{content.recipient}@example.com"


def sink(channel: MemoryChannel, store: MemoryStore) -> ChannelSink:
    made = ChannelSink("notify-memory", lambda: channel, lambda: store, route, lambda: NOW)
    made.open()
    return made


def test_a_notification_that_fails_is_rejected_and_the_others_are_delivered() -> None:
    channel, store = MemoryChannel(), MemoryStore()
    store.put(DeliveryStatus(dedup_key="n2", state="failed", at=NOW, error="refused"))
    first, bad, third = (notification(key) for key in ("n1", "n2", "n3"))

    with pytest.raises(Rejected, match="refused") as rejected:
        sink(channel, store).write([first, bad, third])
    assert rejected.value.index == 1
    sink(channel, store).write([first, third])

    assert [(each.address, each.dedup_key) for each in channel.inbox] == [
        ("ann@example.com", "n1"),
        ("ann@example.com", "n3"),
    ]


def test_what_the_channel_does_not_take_is_passed_over() -> None:
    channel = MemoryChannel()

    sink(channel, MemoryStore()).write([notification("n1", recipient="nobody"), notification("n2")])

    assert [each.dedup_key for each in channel.inbox] == ["n2"]


def test_a_busy_channel_says_when_to_come_again_and_nobody_is_told_twice() -> None:
    channel = MemoryChannel()
    under_test = sink(channel, MemoryStore())
    under_test.write([notification("n1")])
    channel.faults.append(TemporaryError("busy", 7.0))

    with pytest.raises(SinkError, match="busy") as error:
        under_test.write([notification("n1"), notification("n2")])
    assert error.value.retry_after == 7.0
    under_test.write([notification("n1"), notification("n2")])

    assert len(channel.inbox) == 2


class OneWay(MemoryChannel):
    """Can't change a message that is there, as e-mail can't."""

    updates = False


@pytest.mark.parametrize(
    ("change", "fields", "noticed"),
    [
        ("opened", {"attention": True}, True),
        ("opened", {}, True),
        ("updated", {"attention": True}, True),
        ("updated", {}, False),
        ("updated", {"kind": "escalation"}, True),
        ("updated", {"kind": "digest"}, True),
        ("opened", {"kind": "page"}, True),
        ("updated", {"kind": "page"}, False),
        ("resolved", {"kind": "page"}, True),
        ("resolved", {}, True),
    ],
)
def test_a_channel_that_cannot_change_a_message_sends_only_what_people_must_notice(
    change: str, fields: dict[str, object], noticed: bool
) -> None:
    content = notification("n1", alert("a1", 2, change), **fields)
    for channel, seen in ((OneWay(), noticed), (MemoryChannel(), True)):
        under_test = sink(channel, MemoryStore())
        under_test.write([content])
        assert [each.dedup_key for each in channel.inbox] == (["n1"] if seen else [])
        assert (under_test.order(content) is not None) == seen
