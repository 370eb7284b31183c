"""
What a group member asks of its client, and in which order.

The client is a stand-in: the race that the order avoids lasts for microseconds and can't be brought about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from schemas.connection import Connection
from schemas.records import RiskAlert
from schemas.topics import Topics
from sinks.memory import MemorySink
from streams.delivery import member as module
from streams.delivery.broker_watch import BrokerWatch
from streams.delivery.member import GroupMember
from streams.delivery.subscription import Subscription
from streams.kafka.log_position import LogPosition
from streams.runtime.health import Health

PART = ("risk.alerts", 0)


class RecordingConsumer:
    """Consumer that only notes what it is asked, with the offsets of what it is assigned."""

    def __init__(self, _: dict[str, Any]) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self._assigned: list[TopicPartition] = []
        self.arriving: list[str] = []

    def assign(self, parts: Sequence[TopicPartition]) -> None:
        self._assigned = list(parts)
        self._note("assign", parts)

    def assignment(self) -> list[TopicPartition]:
        return self._assigned

    def pause(self, parts: Sequence[TopicPartition]) -> None:
        self._note("pause", parts)

    def resume(self, parts: Sequence[TopicPartition]) -> None:
        self._note("resume", parts)

    def poll(self, _: float) -> str | None:
        return self.arriving.pop(0) if self.arriving else None

    def consume(self, limit: int, _: float) -> list[str]:
        taken, self.arriving = self.arriving[:limit], self.arriving[limit:]
        return taken

    def _note(self, call: str, parts: Sequence[TopicPartition]) -> None:
        self.calls.append((call, [part.offset for part in parts]))


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> GroupMember:
    monkeypatch.setattr(module, "Consumer", RecordingConsumer)

    class Alerts(MemorySink):
        records = frozenset({RiskAlert})

    subscription = Subscription.of(Alerts(), Topics())
    watch = BrokerWatch(subscription, Health("deliver"))
    return GroupMember(Connection("127.0.0.1:1"), subscription, 6.0, watch, lambda *_: None)


def calls(member: GroupMember) -> list[tuple[str, list[int]]]:
    found: list[tuple[str, list[int]]] = member.consumer.calls
    member.consumer.calls = []
    return found


def test_an_assignment_is_never_paused_or_resumed(member: GroupMember) -> None:
    member.hold()
    assert member.idle
    member.restart({PART: LogPosition(7)})
    assert not member.idle
    member.restart({PART: LogPosition(3)})
    assert calls(member) == [("assign", []), ("assign", [7]), ("assign", [3])]


@pytest.mark.parametrize("leave", [GroupMember.hold, GroupMember.release])
def test_no_partition_is_still_paused_when_it_goes(member: GroupMember, leave: Any) -> None:
    member.restart({PART: LogPosition(7)})
    member.pause()
    calls(member)
    leave(member)
    assert calls(member)[0] == ("resume", [7])
    member.pause()
    member.resume()
    assert not {call for call, _ in calls(member)} & {"pause", "resume"}
    assert member.idle


def test_a_new_start_of_a_paused_member_resumes_before_it_assigns(member: GroupMember) -> None:
    member.restart({PART: LogPosition(7)})
    member.pause()
    calls(member)
    member.restart({PART: LogPosition(5)})
    assert calls(member) == [("resume", [7]), ("assign", [5])]
    assert not member.idle


def test_what_was_on_its_way_to_a_paused_member_is_taken_later_and_dropped_by_a_new_start(
    member: GroupMember,
) -> None:
    member.restart({PART: LogPosition(7)})
    member.pause()
    member.consumer.arriving = ["early", "late"]
    member.poll_idle(0.1)
    member.resume()
    assert member.take(10) == ["early", "late"]
    member.pause()
    member.consumer.arriving = ["early"]
    member.poll_idle(0.1)
    member.restart({PART: LogPosition(7)})
    assert member.take(10) == []
