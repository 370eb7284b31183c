"""Dead letters repaired and redriven leave the state that right records would have left, once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bellbuoy.operations.kafka.topics import create_topics, delete_topics
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.identity.keys import account_key
from schemas.records import DeadLetter
from schemas.times import DAY
from schemas.topics import Topics
from streams.deadletters.redrive import REDRIVEN_HEADER, Redriver, RepairedEvent
from streams.kafka.errors import FencedError
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment
from tests.support.input_producer import usage
from tests.support.waiting import until

pytestmark = pytest.mark.services

HOUR = 3_600_000
START = 20_600 * DAY + 9 * HOUR
ACCOUNTS = 12


@pytest.fixture
def deploy(bootstrap: Connection, tmp_path: Path) -> Iterator[Any]:
    running: list[Deployment] = []

    def start() -> Deployment:
        topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=2)
        create_topics(bootstrap, topics)
        running.append(Deployment(bootstrap, topics, tmp_path / topics.prefix))
        return running[-1]

    yield start
    for one in running:
        one.roles.stop()
        delete_topics(bootstrap, one.topics)


def right(number: int, **changes: Any) -> Any:
    at = START - (number % 40) * DAY - number
    return usage(number, f"a{number % ACCOUNTS}", at, **({"received_at": START} | changes))


def test_the_state_is_as_if_the_records_had_been_right(deploy: Any) -> None:
    ours, control = deploy(), deploy()
    good = [right(n) for n in range(300)]
    encode = codec("usage.events").encode
    mended = [right(n) for n in range(1_000, 1_005)]
    negative, timeless, cut, foreign, unnamed = mended
    for one in (ours, control):
        one.producer.send("usage.events", good)
    control.producer.send("usage.events", mended)
    bad = [
        encode(msgspec.structs.replace(negative, duration_ms=-3)),
        encode(msgspec.structs.replace(timeless, occurred_at=START + 5 * DAY)),
        encode(cut)[:-4],
        b"\0\0\0\x7f\xff" + encode(foreign)[5:],
    ]
    for value, event in zip(bad, mended, strict=False):
        ours.producer.raw("usage.events", value, account_key("acme", event.account_id))
    front = DeadLetter(
        id="front",
        reason="unresolved_account",
        detail="no account",
        topic="usage.events",
        value=json.dumps(
            {
                "type": "track",
                "messageId": unnamed.event_id,
                "anonymousId": unnamed.user_id,
                "timestamp": unnamed.occurred_at,
                "event": unnamed.name,
                "properties": {"feature": unnamed.feature, "duration_ms": unnamed.duration_ms},
            }
        ).encode(),
        producer="segment",
        tenant="acme",
        failed_at=START,
    )
    ours.producer.raw("events.deadletter", codec("events.deadletter").encode(front), b"front")
    ours.producer.flush()
    for one in (ours, control):
        one.tick(START)
    until(lambda: (ours.ended(), control.ended()) == (304, 305), what="everything read")
    letters = {letter.reason: letter.id for letter in ours.letters()}
    assert sorted(letters) == [
        "from_future",
        "invalid",
        "undecodable",
        "unknown_schema",
        "unresolved_account",
    ]

    faulty = ours.cli("deadletters", "redrive", "--all", "--dry-run", code=1)
    assert (faulty["redriven"], len(faulty["faulty"])) == (0, 5)
    ours.cli("deadletters", "repair", letters["invalid"], "--set", f"duration_ms={negative.duration_ms}")
    ours.cli("deadletters", "repair", letters["from_future"], "--set", f"occurred_at={timeless.occurred_at}")
    ours.cli("deadletters", "repair", "front", "--set", f"/context/groupId={unnamed.account_id}")
    for reason, event in (("undecodable", cut), ("unknown_schema", foreign)):
        given = json.dumps(msgspec.to_builtins(event))
        ours.cli("deadletters", "repair", letters[reason], "--file", "-", stdin=given)
    assert ours.cli("deadletters", "redrive", "--topic", "usage.events", "--dry-run")["redriven"] == 5
    assert ours.applied() == 300

    assert ours.cli("deadletters", "redrive", "--topic", "usage.events")["redriven"] == 5
    until(lambda: ours.applied() == 305, what="the redriven events")
    again = ours.cli("deadletters", "redrive", "--all")
    assert (again["redriven"], again["already_redriven"]) == (0, 5)
    assert {x["status"] for x in ours.cli("deadletters", "list")["deadletters"]} == {"redriven"}

    # What is known of the events is the same at once, but for the batch that brought them; with the next
    # judgement of every account, a day later, all of it.
    decisions = ("sequence", "due", "score", "band", "scored_day", "opening_score", "episodes")
    assert ours.states(*decisions) == control.states(*decisions)
    for one in (ours, control):
        one.tick(START + HOUR)
        one.tick(START + DAY)
    assert ours.states("sequence") == control.states("sequence")
    assert len(ours.states()) == ACCOUNTS


def test_redriving_twice_at_a_time_and_after_the_event_came_by_itself(deploy: Any) -> None:
    ours = deploy()
    events = [right(n) for n in range(3)]
    for event in events:
        bad = codec("usage.events").encode(msgspec.structs.replace(event, latency_ms=-1))
        ours.producer.raw("usage.events", bad, account_key("acme", event.account_id))
    ours.producer.flush()
    ours.tick(START)
    until(lambda: ours.ended() == 3, what="three dead letters")
    ours.producer.send("usage.events", events[:1])  # its sender mended it meanwhile
    until(lambda: ours.applied() == 1, what="the sender's own")
    repaired = ours.cli("deadletters", "repair", "--reason", "invalid", "--unset", "latency_ms")
    assert repaired["repaired"] == 3

    first = Redriver(ours.bootstrap, ours.topics, committed())
    letters = ours.letters()
    sent = [
        RepairedEvent(letter, "usage.events", codec("usage.events").decode(letter.mended))
        for letter in letters
    ]
    assert ours.cli("deadletters", "redrive", "--all")["redriven"] == 3
    with pytest.raises(FencedError):
        first.send(sent, START)

    until(lambda: ours.ended() == 7, what="three redriven")
    assert ours.applied() == 3
    records = [m for m in read_topic(ours.bootstrap, ours.topics.name("usage.events"), 2) if m.headers()]
    assert sorted(dict(m.headers())[REDRIVEN_HEADER].decode() for m in records) == sorted(
        x.id for x in letters
    )
