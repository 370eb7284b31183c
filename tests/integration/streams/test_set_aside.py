"""Records that are set aside stop nothing, and are applied once when they come again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.times import DAY
from tests.support.deployment import Deployment, deployed
from tests.support.input_producer import usage
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY


@pytest.fixture
def ours(bootstrap: str, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as deployment:
        yield deployment


def restart(deployment: Deployment, role: str) -> None:
    for process in deployment.roles.processes:
        if process.role == role:
            process.kill()
            process.start()


def test_events_from_the_future_are_applied_once_after_a_restart(ours: Deployment) -> None:
    ahead = [usage(n, f"a{n % 5}", START + 2 * DAY) for n in range(50)]
    present = [usage(n, f"a{n % 5}", START) for n in range(100, 130)]
    ours.producer.send("usage.events", ahead[:20])
    ours.producer.pack([x for pair in zip(ahead[20:], present, strict=True) for x in pair], each=7)
    ours.tick(START)
    until(lambda: ours.read() == 80, what="everything read")
    assert (ours.applied(), len(ours.letters())) == (30, 50)

    restart(ours, "journal")
    ours.tick(START + 2 * DAY)
    assert ours.cli("deadletters", "redrive", "--reason", "from_future")["redriven"] == 50
    until(lambda: ours.read() == 130, what="the redriven events")
    assert ours.applied() == 80

    ours.producer.send("usage.events", [*ahead, *present])  # their senders repeat all of it
    restart(ours, "journal")
    until(lambda: ours.read() == 210, what="what was sent again")
    assert ours.applied() == 80
