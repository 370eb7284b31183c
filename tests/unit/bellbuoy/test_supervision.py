from __future__ import annotations

from bellbuoy.local.supervision import RestartPolicy


def test_pauses_double_up_to_the_longest() -> None:
    policy = RestartPolicy(max_deaths=10)

    pauses = [policy.pause_after_death(now) for now in range(7)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_the_sixth_death_within_a_minute_is_one_too_many() -> None:
    policy = RestartPolicy()

    assert all(policy.pause_after_death(now) is not None for now in range(5))
    assert policy.pause_after_death(59.0) is None


def test_deaths_a_minute_ago_are_forgotten() -> None:
    policy = RestartPolicy()
    for now in range(5):
        policy.pause_after_death(float(now))

    assert policy.pause_after_death(100.0) == 0.2
