"""
Credits of a worker's journal partitions, in time.

The timelines have a row a partition and a column a time, after the events of that time:

    .  it has no credit for its next batch and gathers events
    c  it has a credit, and its batch is expected (for 200 ms at most)
    B  its batch has arrived and waits, or is being applied
    -  it has a credit but sent no batch: none is expected any more

The worker grants credits while less than 30 ms of work wait (B) or are expected (c). A batch counts with the
seconds that the partition's last one took.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streams.pacing.credits import CreditScheduler

FOUR = (0, 1, 2, 3)


def scheduler(seconds: float, partitions: Sequence[int] = FOUR) -> CreditScheduler:
    """A scheduler whose partitions have applied batch 0 in this order, each after so many seconds of work."""
    credits_ = CreditScheduler()
    for partition in partitions:
        credits_.applied(partition, 0, seconds)
    return credits_


def play(credits_: CreditScheduler, timeline: Sequence[tuple[float, list[tuple[Any, ...]], Any]]) -> None:
    """At each time of a timeline let its events happen, then compare every partition's credit."""
    for now, events, expected in timeline:
        for name, *arguments in events:
            getattr(credits_, name)(*arguments)
        assert credits_.granted(now) == expected, f"at {now} s"


def test_an_idle_worker_grants_every_partition_its_credit() -> None:
    # 4 batches of 5 ms are 20 ms of work, less than 30 ms.
    assert scheduler(0.005).granted(0.0) == {0: 0, 1: 0, 2: 0, 3: 0}


def test_a_busy_worker_grants_credits_one_after_the_other() -> None:
    # Batches of 20 ms: two may wait or be expected.
    #
    #   ms            0    10   50   100  150
    #   partition 0   c    B    .    .    c     applied batch 1 at 50
    #   partition 1   c    c    c    .    .     applied batch 1 at 100
    #   partition 2   .    .    c    c    .     applied batch 1 at 150
    #   partition 3   .    .    .    c    c
    play(
        scheduler(0.020),
        [
            (0.00, [], {0: 0, 1: 0}),
            (0.01, [("batch_arrived", 0)], {0: 0, 1: 0}),
            (0.05, [("applied", 0, 1, 0.020), ("batches_done", 0, 1)], {0: 0, 1: 0, 2: 0}),
            (
                0.10,
                [("batch_arrived", 1), ("applied", 1, 1, 0.020), ("batches_done", 1, 1)],
                {0: 0, 1: 0, 2: 0, 3: 0},
            ),
            (
                0.15,
                [("batch_arrived", 2), ("applied", 2, 1, 0.020), ("batches_done", 2, 1)],
                {0: 1, 1: 0, 2: 0, 3: 0},
            ),
        ],
    )


def test_waiting_work_counts_until_it_is_done() -> None:
    # Batches of 100 ms: one at a time.
    #
    #                     then
    #   partition 0   .    c
    #   partition 1   .    .
    #   partition 2   .    .
    #   partition 3   B    .    the batch is done
    play(
        scheduler(0.100),
        [
            (0.00, [("batch_arrived", 3)], {}),
            (0.00, [("batches_done", 3, 1)], {0: 0}),
        ],
    )


def test_a_partition_without_events_keeps_the_others_waiting_for_200_ms_only() -> None:
    #   ms            0    100  300
    #   partition 0   c    c    -
    #   partition 1   .    .    c
    #   partition 2   .    .    .
    #   partition 3   .    .    .
    play(
        scheduler(0.100),
        [
            (0.0, [], {0: 0}),
            (0.1, [], {0: 0}),
            (0.3, [], {0: 0, 1: 0}),
        ],
    )


def test_a_dropped_partition_has_no_credit_and_expects_no_batch() -> None:
    #                     then
    #   partition 0   c         another worker owns it now
    #   partition 1   .         another worker owns it now
    #   partition 2   .    c
    #   partition 3   .    .
    play(
        scheduler(0.100),
        [
            (0.0, [], {0: 0}),
            (0.0, [("drop", 0), ("drop", 1)], {2: 0}),
        ],
    )


@pytest.mark.parametrize("sequences", [(8,), (7, 8), (6, 7, 8)])
def test_the_credit_is_the_batch_applied_last(sequences: tuple[int, ...]) -> None:
    events = [("applied", 0, sequence, 0.100) for sequence in sequences]
    play(CreditScheduler(), [(0.0, events, {0: 8})])
