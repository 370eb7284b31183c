"""What every notification channel promises, against a service that fails in every way there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sinks.notify.memory import MemoryChannel
from sinks.notify.port import (
    Channel,
    ChannelError,
    GoneError,
    Notification,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)
from sinks.notify.webhook import WebhookChannel, WebhookSettings
from tests.support.output_records import alert
from tests.support.webhook_receiver import (
    SECRET,
    WebhookReceiver,
    answer,
    drip,
    hang,
    lose_the_answer,
    reset,
)

TIMEOUT = 0.5


@dataclass
class ChannelUnderTest:
    """A channel, what a person sees of it, and how its service is told to fail the next requests."""

    channel: Channel
    inbox: Callable[[], list[tuple[str, list[str]]]]
    fail: Callable[..., None]


def memory() -> Iterator[ChannelUnderTest]:
    channel = MemoryChannel()
    faults: Mapping[str, Callable[[], ChannelError]] = {
        "busy": lambda: TemporaryError("busy", 2.0),
        "failing": lambda: TemporaryError("failing"),
        "hanging": lambda: UnknownOutcomeError("hanging"),
        "endless": lambda: UnknownOutcomeError("endless"),
        "resetting": lambda: UnknownOutcomeError("resetting"),
        "answer lost": lambda: UnknownOutcomeError("answer lost"),
        "refusing": lambda: PermanentError("refusing"),
        "gone": lambda: GoneError("gone"),
    }
    yield ChannelUnderTest(
        channel,
        lambda: [(n.recipient, [a.alert_id for a in n.alerts]) for n in channel.inbox],
        lambda *names: channel.faults.extend(faults[name]() for name in names),
    )


def webhook() -> Iterator[ChannelUnderTest]:
    behaviours = {
        "busy": answer(429, retry_after="2"),
        "failing": answer(500),
        "hanging": hang,
        "endless": drip,
        "resetting": reset,
        "answer lost": lose_the_answer,
        "refusing": answer(422),
        "gone": answer(410),
    }

    def inbox() -> list[tuple[str, list[str]]]:
        payloads: list[Any] = [payload["data"] for payload in receiver.inbox.values()]
        return [(data["recipient"], [a["alert_id"] for a in data["alerts"]]) for data in payloads]

    with WebhookReceiver() as receiver:
        settings = WebhookSettings(
            url=receiver.url, secrets=(SECRET,), timeout_seconds=TIMEOUT, internal=True
        )
        yield ChannelUnderTest(
            WebhookChannel(settings),
            inbox,
            lambda *names: receiver.script.extend(behaviours[name] for name in names),
        )


@pytest.fixture(params=[memory, webhook], ids=lambda make: make.__name__)
def under_test(request: pytest.FixtureRequest) -> Iterator[ChannelUnderTest]:
    for it in request.param():
        yield it
        it.channel.close()


def notification(recipient: str = "ann", alert_id: str = "a1", **fields: Any) -> Notification:
    return Notification(recipient=recipient, alerts=(alert(alert_id, **fields),))


def test_a_notification_arrives(under_test: ChannelUnderTest) -> None:
    under_test.channel.check()
    assert under_test.inbox() == []

    under_test.channel.notify(notification())

    assert under_test.inbox() == [("ann", ["a1"])]


def test_the_same_notification_is_seen_once(under_test: ChannelUnderTest) -> None:
    for _ in range(3):
        under_test.channel.notify(notification())

    assert len(under_test.inbox()) == (1 if under_test.channel.idempotent else 3)


def test_another_recipient_alert_or_change_is_another_notification(under_test: ChannelUnderTest) -> None:
    different = [
        notification(),
        notification("ben"),
        notification(alert_id="a2"),
        notification(change="resolved"),
        notification(sequence=2, change="updated"),
        Notification(recipient="ann", alerts=(alert("a1"), alert("a2"))),
    ]

    for each in different:
        under_test.channel.notify(each)

    assert len(under_test.inbox()) == len(different)
    assert under_test.inbox()[-1] == ("ann", ["a1", "a2"])


@pytest.mark.parametrize("fault", ["busy", "failing", "hanging", "endless", "resetting", "answer lost"])
def test_a_passing_fault_is_told_apart_and_the_next_attempt_delivers_once(
    under_test: ChannelUnderTest, fault: str
) -> None:
    under_test.fail(fault, fault)
    began = time.monotonic()

    for _ in range(2):
        with pytest.raises(TemporaryError) as error:
            under_test.channel.notify(notification())
        assert error.value.retry_after == (2.0 if fault == "busy" else None)
        # Without an answer nobody knows whether it arrived; with one it did not.
        assert isinstance(error.value, UnknownOutcomeError) == (fault not in ("busy", "failing"))
    assert time.monotonic() - began < 2 * TIMEOUT + 2

    under_test.channel.notify(notification())
    assert under_test.inbox() == [("ann", ["a1"])]


@pytest.mark.parametrize(("fault", "kind"), [("refusing", PermanentError), ("gone", GoneError)])
def test_a_notification_that_is_never_taken_is_told_apart(
    under_test: ChannelUnderTest, fault: str, kind: type[PermanentError]
) -> None:
    under_test.fail(fault)

    with pytest.raises(kind):
        under_test.channel.notify(notification())

    assert under_test.inbox() == []
    under_test.channel.notify(notification("ben"))
    assert under_test.inbox() == [("ben", ["a1"])]


def test_a_check_tells_nobody_and_sees_what_a_delivery_would(under_test: ChannelUnderTest) -> None:
    for fault in ("hanging", "gone"):
        under_test.fail(fault)
        with pytest.raises(ChannelError):
            under_test.channel.check()

    under_test.channel.check()
    assert under_test.inbox() == []


@pytest.mark.parametrize(
    "text", ["", "<script>alert(1)</script>", "<!channel>", "Zoë 🚀\n\r\0", "x" * 20_000]
)
def test_odd_text_arrives_and_breaks_nothing(under_test: ChannelUnderTest, text: str) -> None:
    odd = notification(text, alert_id=text, title=text, reasons=[text])

    under_test.channel.notify(odd)

    assert under_test.inbox() == [(text, [text])]
