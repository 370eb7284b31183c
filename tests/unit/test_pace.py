"""A partition of the journal rests longer while the worker is behind, and shorter again when it isn't."""

from __future__ import annotations

from streams.pace import Pace

LEAST, MOST = 0.05, 1.0


def rests(
    lag: float, batches: int, pace: Pace, start: float = 0.0, first: int = 0
) -> tuple[list[float], float]:
    """Write batches one after another, each applied so many seconds after it was written."""
    now, found = start, []
    written: list[tuple[int, float]] = []
    for sequence in range(first, first + batches):
        applied = max((s for s, at in written if at + lag <= now), default=first - 1)
        found.append(pace.rest(sequence, applied, now))
        written.append((sequence, now))
        now += found[-1]
    return found, now


def test_a_worker_that_keeps_up_lets_it_rest_the_least() -> None:
    found, _ = rests(0.1, 50, Pace(LEAST, MOST, 0.25))
    assert set(found) == {LEAST}


def test_a_worker_that_is_behind_makes_it_rest_longer_and_no_longer_than_the_most() -> None:
    found, _ = rests(5.0, 30, Pace(LEAST, MOST, 0.25))
    assert found == sorted(found)
    assert found[-1] == MOST


def test_without_a_worker_it_writes_a_batch_a_second() -> None:
    found, _ = rests(float("inf"), 40, Pace(LEAST, MOST, 0.25))
    assert found[-20:] == [MOST] * 20


def test_it_recovers_within_seconds() -> None:
    pace = Pace(LEAST, MOST, 0.25)
    _, now = rests(10.0, 30, pace)
    found, then = rests(0.1, 40, pace, now, 30)
    assert found[-1] == LEAST
    back = found.index(LEAST)
    assert sum(found[:back]) < 10
    assert then > now


def test_a_least_above_the_most_is_kept() -> None:
    assert rests(9.0, 5, Pace(2.0, 1.0, 0.25))[0] == [2.0] * 5
