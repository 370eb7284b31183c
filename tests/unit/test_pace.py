"""A partition of the journal rests longer while the worker is behind, and shorter again when it isn't."""

from __future__ import annotations

from itertools import pairwise

import pytest

from streams.pace import Pace

LEAST, MOST = 0.05, 4.0


class Line:
    """A partition and a worker that applies each batch so many seconds after it was written."""

    def __init__(self) -> None:
        self.pace = Pace(LEAST, MOST, 0.25)
        self.now = 0.0
        self.written: list[float] = []

    def rests(self, lag: float, batches: int) -> list[float]:
        found = []
        for _ in range(batches):
            self.pace.wrote(len(self.written), self.applied(lag), self.now)
            self.written.append(self.now)
            began = self.now
            while self.pace.left(self.applied(lag), self.now) > 1e-9:
                self.now += 0.01
            found.append(self.now - began)
        return found

    def applied(self, lag: float) -> int:
        return sum(1 for at in self.written if at + lag <= self.now) - 1


def test_a_worker_that_keeps_up_lets_it_rest_the_least() -> None:
    assert Line().rests(0.1, 50) == [pytest.approx(LEAST)] * 50


def test_a_worker_that_is_behind_makes_it_rest_longer() -> None:
    found = Line().rests(60.0, 20)
    assert all(later >= earlier - 0.02 for earlier, later in pairwise(found))
    assert found[-1] == pytest.approx(MOST, abs=0.02)


def test_without_a_worker_it_rests_the_most() -> None:
    assert Line().rests(float("inf"), 40)[-20:] == [pytest.approx(MOST, abs=0.02)] * 20


def test_a_worker_that_has_applied_everything_ends_a_long_rest() -> None:
    line = Line()
    line.rests(float("inf"), 40)
    assert line.rests(0.6, 1) == [pytest.approx(0.6, abs=0.02)]


def test_it_recovers_within_seconds() -> None:
    line = Line()
    line.rests(float("inf"), 40)
    found = line.rests(0.1, 40)
    assert found[-1] == pytest.approx(LEAST)
    assert sum(found) < 4


def test_a_least_above_the_most_is_kept() -> None:
    pace = Pace(2.0, 1.0, 0.25)
    pace.wrote(0, -1, 0.0)
    assert pace.left(-1, 0.0) == 2.0
