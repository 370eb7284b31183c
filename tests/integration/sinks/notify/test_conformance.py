"""What every notification channel promises, against a service that fails in every way there is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import AlertNotification
from sinks.notify.memory import MemoryStore
from sinks.notify.port import (
    ChannelError,
    Notification,
    PermanentError,
    TemporaryError,
    UnknownOutcomeError,
)
from sinks.notify.sink import ChannelSink
from tests.support.channels_under_test import CHANNELS, IMPATIENCE, ChannelUnderTest
from tests.support.notifications import HOSTILE, every_kind, hostile
from tests.support.output_records import alert
from tests.support.output_records import notification as decided


@pytest.fixture(params=CHANNELS, ids=lambda make: make.__name__)
def under_test(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChannelUnderTest]:
    for it in request.param(tmp_path):
        yield it
        it.close()


def notification(content: AlertNotification | None = None, **fields: Any) -> Notification:
    return Notification(content=content or decided("n1"), **fields)


def fail(under_test: ChannelUnderTest, *faults: str) -> None:
    for fault in faults:
        if fault not in under_test.faults:
            pytest.skip(f"its service can't be {fault}")
        under_test.faults[fault]()


def test_a_notification_arrives(under_test: ChannelUnderTest) -> None:
    under_test.channel.check()
    assert under_test.inbox() == []

    receipt = under_test.channel.notify(notification())

    assert under_test.inbox() == ["n1"]
    assert type(receipt.message_id) in (str, type(None))  # what a store can keep


def test_the_same_notification_is_seen_once_or_each_time_with_its_id(under_test: ChannelUnderTest) -> None:
    for _ in range(3):
        under_test.channel.notify(notification())

    assert under_test.inbox() == ["n1"] * (1 if under_test.channel.idempotent else 3)


def test_every_kind_of_notification_arrives(under_test: ChannelUnderTest) -> None:
    kinds = every_kind()

    for content in kinds.values():
        under_test.channel.notify(notification(content))

    assert sorted(under_test.inbox()) == sorted(
        under_test.shown(content.notification_id) for content in kinds.values()
    )


@pytest.mark.parametrize("fault", ["busy", "failing", "hanging", "endless", "resetting", "answer lost"])
def test_a_passing_fault_is_told_apart_and_the_next_attempt_delivers(
    under_test: ChannelUnderTest, fault: str
) -> None:
    fail(under_test, fault, fault)
    began = time.monotonic()

    for _ in range(2):
        with pytest.raises(TemporaryError) as error:
            under_test.facing(fault).notify(notification())
        assert error.value.retry_after == (under_test.retry_after if fault == "busy" else None)
        # Without an answer nobody knows whether it arrived; with one it did not.
        assert isinstance(error.value, UnknownOutcomeError) == (fault not in ("busy", "failing"))
    assert time.monotonic() - began < 2 * IMPATIENCE + 40  # the vendor would take a minute each time

    under_test.channel.notify(notification())
    doubled = fault == "answer lost" and not under_test.channel.idempotent
    assert under_test.inbox() == ["n1"] * (3 if doubled else 1)


@pytest.mark.parametrize("fault", ["refusing", "gone"])
def test_a_notification_that_is_never_taken_is_told_apart(under_test: ChannelUnderTest, fault: str) -> None:
    fail(under_test, fault)
    kind = under_test.gone if fault == "gone" else PermanentError

    with pytest.raises(kind):
        under_test.channel.notify(notification())

    assert under_test.inbox() == []
    under_test.channel.notify(notification(decided("n2")))
    assert under_test.inbox() == ["n2"]


def test_a_check_tells_nobody_and_sees_a_service_that_is_away(under_test: ChannelUnderTest) -> None:
    under_test.channel.check()
    assert under_test.inbox() == []

    fail(under_test, "away")
    with pytest.raises(ChannelError):
        under_test.channel.check()
    with pytest.raises(TemporaryError):
        under_test.channel.notify(notification())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_arrive_and_break_nothing(under_test: ChannelUnderTest, name: str) -> None:
    under_test.channel.notify(notification(hostile(name)))

    assert under_test.inbox() == ["n1"]


def test_a_change_is_told_with_the_message_that_it_changes(under_test: ChannelUnderTest) -> None:
    first = under_test.channel.notify(notification())
    changed = decided("n2", alert("a1", 2, "updated"))

    under_test.channel.notify(notification(changed, earlier=first.message_id))

    assert under_test.inbox()[-1] == "n2"


def test_what_nobody_need_notice_is_no_further_message(under_test: ChannelUnderTest) -> None:
    sink = ChannelSink("under-test", lambda: under_test.channel, MemoryStore, lambda _: "", lambda: 0)
    sink.open()

    for number, change in enumerate(("opened", "updated", "resolved"), 1):
        sink.write([decided(f"n{number}", alert("a1", number, change))])

    seen = under_test.inbox()
    assert seen[-1] == "n3"
    assert under_test.channel.updates or seen == ["n1", "n3"]


def test_no_error_shows_a_secret(under_test: ChannelUnderTest) -> None:
    for fault in ("busy", "failing", "hanging", "resetting", "refusing", "gone", "away"):
        if fault not in under_test.faults:
            continue
        under_test.faults[fault]()
        with pytest.raises(ChannelError) as error:
            under_test.facing(fault).notify(notification(decided(fault)))
        assert not [secret for secret in under_test.secrets if secret in str(error.value)]
