"""How long the check waits for the pipeline: as long as anything moves."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bellbuoy.operations.delivery import drain
from bellbuoy.operations.delivery.drain import NotDrainedError, PendingWork, wait_drained
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.topics import Topics
from streams.kafka.cluster import Cluster

CLUSTER = Cluster(Connection("127.0.0.1:9"), Topics("t-", partitions=1), committed())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that every look at the pipeline moves by ten seconds."""
    now = [0.0]

    def sleep(_: float) -> None:
        now[0] += 10

    monkeypatch.setattr(drain, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return now


def pending(monkeypatch: pytest.MonkeyPatch, found: Iterator[PendingWork | None]) -> None:
    monkeypatch.setattr(drain, "pending_work", lambda *_: next(found))


def test_it_waits_while_less_is_left_each_time(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    work = [PendingWork("the worker", left) for left in range(100, 0, -1)]
    pending(monkeypatch, iter([*work, PendingWork("a sink", 5), None]))
    wait_drained(CLUSTER, (), 20)
    assert clock[0] > 1_000


def test_it_gives_up_when_a_part_only_gets_more(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    pending(monkeypatch, (PendingWork("the worker", left) for left in range(7, 100)))
    with pytest.raises(NotDrainedError, match="nothing moved for 20 s: the worker"):
        wait_drained(CLUSTER, (), 20)
    assert clock[0] < 60
