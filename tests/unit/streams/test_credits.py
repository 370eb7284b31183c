"""A worker lets the journal's partitions on when little work waits for it, each in its turn."""

from __future__ import annotations

from streams.pacing.credits import CreditScheduler

PARTITIONS = range(4)


def busy(took: float, work: CreditScheduler | None = None) -> CreditScheduler:
    """A scheduler whose partitions have applied batch 0, each after so many seconds of work."""
    turns = work or CreditScheduler()
    for partition in PARTITIONS:
        turns.applied(partition, 0, took)
    return turns


def test_a_worker_with_little_to_do_lets_everyone_on() -> None:
    assert busy(0.005).on(0.0) == dict.fromkeys(PARTITIONS, 0)


def test_a_busy_worker_lets_them_on_one_after_the_other() -> None:
    turns = busy(0.02)
    assert turns.on(0.0) == {0: 0, 1: 0}
    turns.came(0)
    assert turns.on(0.01) == {0: 0, 1: 0}
    turns.applied(0, 1, 0.02)
    turns.went(0, 1)
    assert turns.on(0.05) == {0: 0, 1: 0, 2: 0}
    turns.came(1)
    turns.applied(1, 1, 0.02)
    turns.went(1, 1)
    assert turns.on(0.10) == {0: 0, 1: 0, 2: 0, 3: 0}
    turns.came(2)
    turns.applied(2, 1, 0.02)
    turns.went(2, 1)
    assert turns.on(0.15) == {0: 1, 1: 0, 2: 0, 3: 0}


def test_work_that_waits_counts_until_it_is_gone() -> None:
    turns = busy(0.1)
    turns.came(3)
    assert turns.on(0.0) == {}
    turns.went(3, 1)
    assert turns.on(0.0) == {0: 0}


def test_a_partition_with_nothing_to_send_holds_nobody_up() -> None:
    turns = busy(0.1)
    assert turns.on(0.0) == {0: 0}
    assert turns.on(0.1) == {0: 0}
    assert turns.on(0.3) == {0: 0, 1: 0}


def test_a_partition_that_was_taken_away_is_not_spoken_for() -> None:
    turns = busy(0.1)
    turns.on(0.0)
    turns.forget(0)
    turns.forget(1)
    assert turns.on(0.0) == {2: 0}


def test_only_the_newest_batch_is_told() -> None:
    turns = CreditScheduler()
    turns.applied(0, 7, 0.1)
    turns.applied(0, 8, 0.1)
    assert turns.on(0.0) == {0: 8}
