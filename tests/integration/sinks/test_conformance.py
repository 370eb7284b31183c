"""What every sink promises; each destination goes through the same suite."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from sinks.port import OUTPUTS, Output, Rejected, Sink, SinkError
from tests.support.output_records import alert, health, kpis, story
from tests.support.sinks_under_test import KEYED, REMOTE, SINKS, SinkUnderTest


@pytest.fixture(params=SINKS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Iterator[SinkUnderTest]]:
    """Yield destinations that are empty and know nothing of each other."""
    opened = []

    def destinations() -> Iterator[SinkUnderTest]:
        for number in range(9):
            folder = tmp_path / str(number)
            folder.mkdir()
            opened.append(request.param(folder))
            yield next(opened[-1])

    yield destinations()
    for each in opened:
        each.close()


@pytest.fixture
def under_test(fresh: Iterator[SinkUnderTest]) -> SinkUnderTest:
    return next(fresh)


def of(sink: Sink, outputs: Sequence[Output]) -> list[Output]:
    """Return what delivery gives to this sink."""
    return [output for output in outputs if type(output) in sink.records]


def write(under_test: SinkUnderTest, *batches: Sequence[Output]) -> None:
    """Write each batch as delivery would, then close the sink."""
    sink = under_test.sink()
    with closing(sink):
        sink.open()
        for batch in batches:
            sink.write(of(sink, batch))


def test_it_declares_its_name_and_the_records_that_it_takes(under_test: SinkUnderTest) -> None:
    sink = under_test.sink()

    assert sink.name.isidentifier()
    assert sink.records
    assert sink.records <= OUTPUTS


def test_it_takes_an_empty_batch(under_test: SinkUnderTest) -> None:
    write(under_test, [])


def test_what_is_written_is_there_once(under_test: SinkUnderTest) -> None:
    write(under_test, [])
    empty = under_test.content()

    write(under_test, [health("a1"), kpis("a1", {"usage.depth": 3.0}), alert("al1", account_id="a1")])

    assert under_test.content() != empty


def test_redelivery_changes_nothing(under_test: SinkUnderTest) -> None:
    write(under_test, story())
    once = under_test.content()

    write(under_test, story(), story()[100:200])

    assert under_test.content() == once


def test_batching_changes_nothing(fresh: Iterator[SinkUnderTest]) -> None:
    whole, parts = next(fresh), next(fresh)

    write(whole, story())
    write(parts, *[[output] for output in story()])

    assert parts.content() == whole.content()


@pytest.mark.parametrize("fresh", KEYED, indirect=True)
def test_the_newest_wins_in_any_order(fresh: Iterator[SinkUnderTest]) -> None:
    ordered, mixed = next(fresh), next(fresh)

    write(ordered, story())
    write(mixed, random.Random(7).sample(story(), len(story())))

    assert mixed.content() == ordered.content()


@pytest.mark.parametrize("fresh", REMOTE, indirect=True)
def test_a_record_that_it_never_takes_is_named_and_the_rest_can_be_written(
    fresh: Iterator[SinkUnderTest],
) -> None:
    under_test, without = next(fresh), next(fresh)
    assert under_test.rejected is not None
    sink = under_test.sink()
    batch = of(sink, story()[:60])
    offered = [*batch[:7], under_test.rejected, *batch[7:]]

    with closing(sink):
        sink.open()
        for _ in range(2):  # a batch may be offered again after a crash
            with pytest.raises(Rejected) as rejected:
                sink.write(offered)
            assert rejected.value.index == 7
            assert str(rejected.value)
        sink.write(batch)

    write(without, batch)
    assert under_test.content() == without.content()


@pytest.mark.parametrize("fresh", REMOTE, indirect=True)
def test_away_and_back_the_same_batch_is_taken(fresh: Iterator[SinkUnderTest]) -> None:
    under_test, never_away = next(fresh), next(fresh)
    assert under_test.away is not None
    sink, late = under_test.sink(), under_test.sink()

    with closing(sink):
        sink.open()
        with under_test.away():
            for _ in range(2):
                with pytest.raises(SinkError):
                    sink.write(of(sink, story()))
            with closing(late), pytest.raises(SinkError):  # opening does what a write does
                late.open()
        sink.write(of(sink, story()))

    write(never_away, story())
    assert under_test.content() == never_away.content()


@pytest.mark.parametrize("fresh", REMOTE, indirect=True)
def test_a_sink_that_could_not_be_opened_can_be_opened_later(under_test: SinkUnderTest) -> None:
    assert under_test.away is not None
    write(under_test, [])
    sink = under_test.sink()
    with closing(sink):
        with under_test.away():
            for _ in range(2):
                with pytest.raises(SinkError):
                    sink.open()
        sink.open()
        sink.write(of(sink, story()))


def test_another_sink_of_the_destination_goes_on(fresh: Iterator[SinkUnderTest]) -> None:
    one, two = next(fresh), next(fresh)

    write(one, story())
    write(two, story()[:150])
    write(two, story()[100:])

    assert two.content() == one.content()
