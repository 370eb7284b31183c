"""Gathering before a costly write: of each key the newest record, all offsets, and nothing kept too long."""

from __future__ import annotations

from sinks.port import Output
from streams.delivery.batch import OutputBatch
from streams.delivery.gathering import BatchGatherer
from streams.kafka.log_position import LogPosition
from streams.kafka.record import KafkaRecord
from tests.support.output_records import alert, health, kpis


class Costly:
    gather_records = 3

    def __init__(self, seconds: float) -> None:
        self.gather_seconds = seconds

    def taken_over(self) -> None:
        pass


START = LogPosition(1, epoch=1)


def batch(*outputs: Output, reached: LogPosition = START) -> OutputBatch:
    sources = [KafkaRecord("t", 0, number, b"", b"", []) for number, _ in enumerate(outputs)]
    return OutputBatch(list(outputs), sources, {("t", 0): reached})


def test_of_each_key_the_newest_is_kept_in_any_order() -> None:
    gatherer = BatchGatherer(Costly(3600))
    assert gatherer.add(batch(health("a", 2), health("b", 1))) is None
    assert gatherer.add(batch(health("a", 1), health("b", 3))) is None
    gathered = gatherer.add(batch(kpis("a", {}, 1), reached=LogPosition(9, epoch=1)))  # the third key

    assert gathered is not None
    assert gathered.outputs == [health("a", 2), health("b", 3), kpis("a", {}, 1)]
    assert [source.offset for source in gathered.sources] == [0, 1, 0]
    assert gathered.reached == {("t", 0): LogPosition(9, epoch=1)}


def test_what_was_gathered_is_due_after_its_time_and_then_gone() -> None:
    gatherer = BatchGatherer(Costly(0))
    gathered = gatherer.add(batch(health("a"), alert("x")))

    assert gathered is not None
    assert len(gathered.outputs) == 2
    assert gatherer.add(OutputBatch()) is None


def test_an_end_of_a_partition_alone_is_passed_on_at_once_and_keeps_the_epoch_before_it() -> None:
    gatherer = BatchGatherer(Costly(3600))
    assert gatherer.add(batch(reached=LogPosition(5))) == batch(reached=LogPosition(5))

    assert gatherer.add(batch(health("a"), reached=LogPosition(6, epoch=2))) is None
    gatherer.add(batch(reached=LogPosition(6)))
    gathered = gatherer.add(batch(health("b"), health("c"), reached=LogPosition(6)))
    assert gathered is not None
    assert gathered.reached == {("t", 0): LogPosition(6, epoch=2)}


def test_what_is_cleared_is_gone() -> None:
    gatherer = BatchGatherer(Costly(3600))
    gatherer.add(batch(health("a")))
    gatherer.clear()
    gathered = gatherer.add(batch(health("b"), health("c"), health("d")))
    assert gathered is not None
    assert len(gathered.outputs) == 3
