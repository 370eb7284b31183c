"""The journal's clock follows the host's while it agrees with the broker's."""

from __future__ import annotations

from typing import Any

import pytest

from streams.journal import clock
from streams.journal.clock import JournalClock

HOUR = 3_600_000
START = 1_780_000_000_000


class Times:
    """The host's two clocks and the broker's, in the places where the journal's clock reads them."""

    def __init__(self) -> None:
        self.wall = self.broker = START
        self.steady, self.asked = 0.0, 0
        self.silent = False

    def time_ns(self) -> int:
        return self.wall * 1_000_000

    def monotonic(self) -> float:
        return self.steady

    def ask(self) -> int | None:
        self.asked += 1
        return None if self.silent else self.broker

    def go(self, seconds: float, *, wall: float | None = None, steady: float | None = None) -> None:
        """Let the broker's time pass, and the host's unless told otherwise."""
        self.broker += round(seconds * 1000)
        self.wall += round((seconds if wall is None else wall) * 1000)
        self.steady += seconds if steady is None else steady


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Any:
    times = Times()
    monkeypatch.setattr(clock, "time", times)
    return times


def test_the_hosts_time_is_taken_while_both_agree(times: Times) -> None:
    ours = JournalClock(0, HOUR, times.ask)
    for _ in range(5):
        times.go(10, wall=700)
        assert ours.wall_time() == times.wall
    assert (times.asked, ours.fault) == (1, "")


@pytest.mark.parametrize("leap", [3_700, -3_700, 400 * 86_400, -400 * 86_400, 10**12])
def test_a_leap_stops_it_until_it_is_undone(times: Times, leap: float) -> None:
    ours = JournalClock(0, HOUR, times.ask)
    assert ours.wall_time() == START
    times.go(1, wall=leap)
    assert ours.wall_time() is None
    assert "set the clock that is wrong" in ours.fault
    times.go(60)
    assert ours.wall_time() is None
    times.go(1, wall=1 - leap + 1)
    assert ours.wall_time() == times.wall
    assert ours.fault == ""


def test_a_clock_wrong_from_the_start_is_never_taken(times: Times) -> None:
    times.wall += 400 * 24 * HOUR
    assert JournalClock(0, HOUR, times.ask).wall_time() is None


def test_a_host_that_was_suspended_goes_on(times: Times) -> None:
    ours = JournalClock(0, HOUR, times.ask)
    ours.wall_time()
    times.go(86_400, steady=6)
    assert ours.wall_time() == times.wall
    assert times.asked == 2


def test_the_broker_is_asked_again_now_and_then(times: Times) -> None:
    ours = JournalClock(0, HOUR, times.ask)
    ours.wall_time()
    times.go(10, wall=10_000)
    for _ in range(100):
        times.go(0.5)
        assert ours.wall_time() is None
    assert 5 <= times.asked <= 15


def test_each_write_tells_the_time(times: Times) -> None:
    times.silent = True
    ours = JournalClock(0, HOUR, times.ask)
    times.wall += 400 * 24 * HOUR
    assert ours.wall_time() == times.wall  # a topic with its producers' times says nothing
    ours.tell(times.broker)  # it was altered since
    assert ours.wall_time() is None


def test_a_topic_that_tells_no_time_is_asked_once(times: Times) -> None:
    times.silent = True
    ours = JournalClock(0, HOUR, times.ask)
    for _ in range(5):
        times.go(10, wall=10_000)
        assert ours.wall_time() == times.wall
    assert times.asked == 1
