from __future__ import annotations

from bellbuoy.local.role_process import Restarts


def test_pauses_double_up_to_the_longest() -> None:
    restarts = Restarts(most=10)

    pauses = [restarts.died(now) for now in range(7)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_the_sixth_death_within_a_minute_is_one_too_many() -> None:
    restarts = Restarts()

    assert all(restarts.died(now) is not None for now in range(5))
    assert restarts.died(59.0) is None


def test_deaths_a_minute_ago_are_forgotten() -> None:
    restarts = Restarts()
    for now in range(5):
        restarts.died(float(now))

    assert restarts.died(100.0) == 0.2
