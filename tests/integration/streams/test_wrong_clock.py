"""A journal whose host's clock is wrong writes nothing, says so, and goes on once the clock is right."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bellbuoy.operations.kafka.ledger import read_positions
from schemas.connection import Connection
from schemas.times import DAY
from schemas.topics import Topics
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from tests.support.input_producer import InputProducer, usage
from tests.support.role_processes import RoleProcesses
from tests.support.waiting import until

pytestmark = pytest.mark.services

SHIFTED = """
import time
from pathlib import Path
_right = time.time_ns
def _shifted():
    try:
        days = int(Path({file!r}).read_text())
    except (FileNotFoundError, ValueError):
        days = 0
    return _right() + days * 86_400 * 10**9
time.time_ns = _shifted
"""


@pytest.mark.parametrize("days", [400, -400])
def test_a_clock_that_is_wrong_for_a_moment(
    bootstrap: Connection, topics: Topics, tmp_path: Path, days: int
) -> None:
    shift, producer = tmp_path / "days", InputProducer(bootstrap, topics)
    roles = RoleProcesses(bootstrap, topics, tmp_path)
    now = time.time_ns() // 1_000_000

    def applied() -> int:
        return sum(position.applied for position in read_positions(bootstrap, topics).values())

    def accounts(first: int) -> list[str]:
        return [f"a{number}" for number in range(first, first + 12)]

    try:
        shift.write_text(str(days))  # wrong at the start
        journal = roles.start("journal", SHIFTED.format(file=str(shift)))
        roles.start("worker")
        producer.send("usage.events", [usage(n, a, now) for n, a in enumerate(accounts(0))])
        until(lambda: "clock: this host's clock says" in journal.unready(), what="the fault")
        time.sleep(1)
        assert applied() == 0
        shift.unlink()
        until(lambda: applied() == 12, what="the events")
        until(lambda: not journal.unready(), what="readiness")

        shift.write_text(str(days))  # wrong in the middle
        until(lambda: "set the clock that is wrong" in journal.unready(), what="the fault")
        producer.send("usage.events", [usage(100 + n, a, now) for n, a in enumerate(accounts(6))])
        time.sleep(1)
        shift.unlink()
        until(lambda: applied() == 24, what="the events of the meantime")
        assert not list(read_dead_letters(bootstrap, topics, DeadLetterFilter()))
        positions = read_positions(bootstrap, topics).values()
        assert all(abs(position.written_at - now) < DAY for position in positions)
        assert "this host's clock and the broker's disagree" in journal.log.read_text()
    finally:
        roles.stop()
