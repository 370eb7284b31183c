"""Channels run by delivery against a real Kafka: at least once with one id, nobody held up, nothing old."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from bellbuoy.operations.deadletters.redrive import redrive
from bellbuoy.operations.delivery.channels import channel_sinks
from bellbuoy.settings import Settings
from schemas.connection import Connection
from schemas.records import AlertNotification
from schemas.topics import Topics
from sinks.notify.delivery import DeliveryStatus
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from streams.delivery.deliveries import KafkaDeliveryStore
from streams.delivery.subscription import Subscription
from tests.support.delivery import committed_offsets, delivering, publish
from tests.support.forked_role import ForkedRole
from tests.support.http_receiver import answer, hang, lose_the_answer, reset, take
from tests.support.output_records import alert, notification
from tests.support.role_processes import role_settings
from tests.support.smtp_receiver import SmtpReceiver
from tests.support.waiting import until as until_in
from tests.support.webhook_receiver import SECRET, WebhookReceiver

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

until = partial(until_in, seconds=180.0)


def decided(count: int, first: int = 0) -> list[AlertNotification]:
    return [
        notification(f"n{n:04d}", alert(f"a{n}", n), recipient=("ann", "ben")[n % 2])
        for n in range(first, first + count)
    ]


def hook(receiver: WebhookReceiver, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": receiver.url, "secret": SECRET, "internal": True, **more}


def settings(bootstrap: Connection, topics: Topics, folder: Path, **channels: Any) -> Settings:
    return role_settings(bootstrap, topics, folder, notify={"channels": channels})


def started(bootstrap: Connection, topics: Topics, *made: Settings) -> bool:
    """Whether every channel has its place on the topic, and has delivered what is there."""
    sinks = [sink for each in made for sink in channel_sinks(each)]
    try:
        places = [place for sink in sinks for place in committed_offsets(bootstrap, topics, sink).values()]
    except KafkaException:  # fresh topics may have no leader yet
        return False
    return all(committed == end for committed, end in places)


def test_a_store_tells_the_others_what_became_of_a_notification(
    bootstrap: Connection, topics: Topics
) -> None:
    one, other, elsewhere = (
        KafkaDeliveryStore(bootstrap, topics, name) for name in ("mail", "mail", "slack")
    )
    stored = DeliveryStatus(dedup_key="n1", state="success", at=7, thread="a1 ann", message_id="m1")
    for store in (one, other, elsewhere):
        store.catch_up()

    one.put(stored)
    one.put(DeliveryStatus(dedup_key="n2", state="failed", at=8, thread="a1 ann", error="refused"))

    assert other.get("n1") is None
    for store in (other, elsewhere):
        store.catch_up()
    assert (other.get("n1"), other.message_id("a1 ann")) == (stored, "m1")
    assert (elsewhere.get("n1"), elsewhere.message_id("a1 ann")) == (None, None)
    later = KafkaDeliveryStore(bootstrap, topics, "mail")
    later.catch_up()
    assert (later.get("n1"), later.message_id("a1 ann")) == (stored, "m1")
    for store in (one, other, elsewhere, later):
        store.close()


def test_a_new_channel_begins_with_what_comes_and_goes_on_where_it_was(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    publish(bootstrap, topics, decided(20))
    with WebhookReceiver() as receiver:
        made = settings(bootstrap, topics, tmp_path, hook=hook(receiver))
        with delivering(bootstrap, topics, *channel_sinks(made)):
            until(lambda: started(bootstrap, topics, made))
            publish(bootstrap, topics, decided(3, first=20))
            until(lambda: len(receiver.inbox) == 3)
        publish(bootstrap, topics, decided(3, first=23))
        with delivering(bootstrap, topics, *channel_sinks(made)):
            until(lambda: len(receiver.inbox) == 6)
            until(lambda: started(bootstrap, topics, made))

        assert Counter(receiver.attempts) == {f"n{n:04d}": 1 for n in range(20, 26)}


def test_what_was_delivered_is_not_sent_again_though_it_is_read_again(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    with WebhookReceiver() as receiver:
        made = settings(bootstrap, topics, tmp_path, hook=hook(receiver))
        with delivering(bootstrap, topics, *channel_sinks(made)):
            until(lambda: started(bootstrap, topics, made))
            publish(bootstrap, topics, decided(10))
            until(lambda: len(receiver.inbox) == 10)
        subscription = Subscription.of(channel_sinks(made)[0], topics)
        parts = [TopicPartition(part.topic, part.partition, 0) for part in subscription.partitions()]
        admin = AdminClient(bootstrap.librdkafka())
        back = ConsumerGroupTopicPartitions(subscription.group, parts)
        for reset_ in admin.alter_consumer_group_offsets([back]).values():
            reset_.result(30)
        with delivering(bootstrap, topics, *channel_sinks(made)):
            until(lambda: started(bootstrap, topics, made))

        assert Counter(receiver.attempts) == {f"n{n:04d}": 1 for n in range(10)}


def test_a_channel_that_hangs_or_fails_holds_nobody_up_and_loses_nothing(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    with WebhookReceiver() as hanging, WebhookReceiver() as failing, SmtpReceiver() as post:
        hanging.script.extend([hang] * 3)
        hanging.script.extend([answer(429, retry_after="1"), lose_the_answer, reset])
        failing.otherwise = answer(500)
        made = settings(
            bootstrap,
            topics,
            tmp_path,
            hanging=hook(hanging, timeout_seconds=1.0),
            failing=hook(failing),
            mail=post.settings,
        )
        with delivering(bootstrap, topics, *channel_sinks(made)):
            until(lambda: started(bootstrap, topics, made))
            publish(bootstrap, topics, decided(30))
            until(lambda: len(post.inbox) == 30)
            assert len(hanging.inbox) < 30
            assert failing.inbox == {}
            until(lambda: len(set(failing.attempts)) > 0)
            failing.otherwise = take
            until(lambda: len(failing.inbox) == len(hanging.inbox) == 30)

        everything = {f"n{n:04d}" for n in range(30)}
        assert failing.inbox.keys() == hanging.inbox.keys() == everything
        assert {m["X-Bellbuoy-Notification"] for _, m in post.inbox} == everything


def test_one_that_always_fails_holds_nobody_up_and_is_tried_again_after_a_kill(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    def poisonous(handler: Any) -> None:
        (answer(500) if handler.headers["webhook-id"] == "n0000" else take)(handler)

    with WebhookReceiver() as receiver:
        receiver.otherwise = poisonous
        made = settings(bootstrap, topics, tmp_path, hook=hook(receiver))
        process = ForkedRole("deliver", made, tmp_path / "log")
        process.start()
        try:
            until(lambda: started(bootstrap, topics, made))
            worse = notification("n0900", alert("a0", 2, "updated"), recipient="ann")
            publish(bootstrap, topics, [*decided(30), worse])
            until(lambda: len(receiver.inbox) == 29)
            process.kill()
            receiver.otherwise = take
            process.start()
            until(lambda: len(receiver.inbox) == 31)
            until(lambda: started(bootstrap, topics, made))
        finally:
            process.kill()

        assert list(receiver.inbox)[-2:] == ["n0000", "n0900"]
        del (times := Counter(receiver.attempts))["n0000"]
        assert set(times) == {*(f"n{n:04d}" for n in range(1, 30)), "n0900"}
        assert sum(times.values()) <= 31  # a kill costs the one notification that was under way


def test_what_is_refused_is_a_dead_letter_the_next_is_delivered_and_a_redrive_sends_it_again(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    with SmtpReceiver() as post:
        post.refused["ann@example.com"] = "550 5.1.1 no such user"
        made = role_settings(
            bootstrap,
            topics,
            tmp_path,
            notify={
                "channels": {"mail": post.settings},
                "recipients": {"ann": {"email": "ann@example.com"}, "ben": {"email": "ben@example.com"}},
            },
        )
        with delivering(bootstrap, topics, *channel_sinks(made)):
            until(lambda: started(bootstrap, topics, made))
            publish(bootstrap, topics, decided(4))
            until(lambda: len(post.inbox) == 2)
            until(lambda: started(bootstrap, topics, made))

            assert [address for address, _ in post.inbox] == ["ben@example.com"] * 2
            post.refused.clear()
            everything = redrive(made, DeadLetterFilter(), lambda _: None, dry_run=True)
            assert (everything.done, len(everything.faulty)) == (0, 2)  # people are told when it is asked for
            wanted = DeadLetterFilter(topic="alert.notifications")
            assert redrive(made, wanted, lambda _: None, dry_run=False).done == 2
            until(lambda: len(post.inbox) == 4)
            until(lambda: started(bootstrap, topics, made))
            assert redrive(made, wanted, lambda _: None, dry_run=False).already == 2

        again = [(address, mail["X-Bellbuoy-Notification"]) for address, mail in post.inbox[2:]]
        assert sorted(again) == [("ann@example.com", "n0000"), ("ann@example.com", "n0002")]
        assert "could not be delivered then" in post.inbox[2][1].as_string()
        store = KafkaDeliveryStore(bootstrap, topics, "mail")
        store.catch_up()
        sent = store.get("n0000")
        store.close()
    letters = list(read_dead_letters(bootstrap, topics, DeadLetterFilter()))
    assert {letter.detail for letter in letters} == {
        "notify-mail: 127.0.0.1 refused ann@example.com: 550 5.1.1 no such user"
    }
    assert sent is not None
    assert sent.state == "success"
    assert sent.redriven in {letter.id for letter in letters}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_again_and_again_every_notification_arrives_and_a_repetition_has_its_id(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    count = 200
    with WebhookReceiver() as receiver, SmtpReceiver() as post:
        made = settings(bootstrap, topics, tmp_path, hook=hook(receiver), mail=post.settings)
        process = ForkedRole("deliver", made, tmp_path / "log")
        arrived = [partial(len, receiver.inbox), partial(len, post.inbox)]
        for kills in range(4):
            process.start()
            try:
                if kills == 0:
                    until(lambda: started(bootstrap, topics, made))
                    publish(bootstrap, topics, decided(count))
                seen = [number() for number in arrived]
                enough = [min(count, before + 40) for before in seen]
                until(lambda e=enough: all(n() >= most for n, most in zip(arrived, e, strict=True)))
                if kills == 3:
                    until(lambda: started(bootstrap, topics, made))
                    assert process.stop(30) == 0, process.log.read_text()
            finally:
                process.kill()
                time.sleep(0.1)

        everything = {f"n{n:04d}" for n in range(count)}
        mails = Counter(m["X-Bellbuoy-Notification"] for _, m in post.inbox)
        assert receiver.inbox.keys() == set(mails) == everything
        # A kill costs each channel the one notification that was under way.
        assert max(*mails.values(), *Counter(receiver.attempts).values()) <= 2
        assert sum(mails.values()) <= count + 3
        assert len({m["Message-ID"] for _, m in post.inbox}) == count
