"""What every sink promises; each destination goes through the same suite."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.records import AccountHealth, AccountKpis, RiskAlert
from sinks.port import (
    OUTPUTS,
    Appending,
    Erasable,
    Historical,
    Output,
    Positioned,
    Reconcilable,
    Rejected,
    SetBackError,
    Sink,
    SinkError,
    Subject,
)
from tests.support.output_records import AT, alert, health, kpis, story
from tests.support.sinks_under_test import (
    ERASABLE,
    FILLED_AGAIN,
    RECONCILABLE,
    REFUSING,
    REMOTE,
    SINKS,
    SinkUnderTest,
)
from tests.support.waiting import until


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


def store(sink: Sink, batch: Sequence[Output]) -> None:
    """Write a batch, and let a sink that gathers look whether it is time to write it, as delivery does."""
    sink.write(of(sink, batch))
    if isinstance(sink, Appending):
        sink.reached({})


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


@pytest.mark.conformance("twice")
def test_redelivery_changes_nothing(under_test: SinkUnderTest) -> None:
    write(under_test, story())
    once = under_test.content()

    write(under_test, story(), story()[100:200])

    assert under_test.content() == once


@pytest.mark.conformance("order")
def test_batching_changes_nothing(fresh: Iterator[SinkUnderTest]) -> None:
    whole, parts = next(fresh), next(fresh)

    write(whole, story())
    write(parts, *[[output] for output in story()])

    assert parts.content() == whole.content()


@pytest.mark.conformance("order")
def test_the_newest_wins_in_any_order(fresh: Iterator[SinkUnderTest]) -> None:
    ordered, mixed = next(fresh), next(fresh)

    write(ordered, story())
    write(mixed, random.Random(7).sample(story(), len(story())))

    assert mixed.content() == ordered.content()


@pytest.mark.conformance("refused")
@pytest.mark.parametrize("fresh", REFUSING, indirect=True)
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


@pytest.mark.conformance("away")
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
                    store(sink, story())
            with closing(late), pytest.raises(SinkError):  # opening does what a write does
                late.open()
        store(sink, story())

    write(never_away, story())
    assert under_test.content() == never_away.content()


@pytest.mark.conformance("away")
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
        store(sink, story())


def test_another_sink_of_the_destination_goes_on(fresh: Iterator[SinkUnderTest]) -> None:
    one, two = next(fresh), next(fresh)

    write(one, story())
    write(two, story()[:150])
    write(two, story()[100:])

    assert two.content() == one.content()


@pytest.mark.conformance("cleared")
@pytest.mark.parametrize("fresh", FILLED_AGAIN, indirect=True)
def test_what_was_cleared_is_noticed_and_filled_again(fresh: Iterator[SinkUnderTest]) -> None:
    under_test, never_cleared = next(fresh), next(fresh)
    write(never_cleared, story())
    parts = {f"{topic}/0": 1 for topic in ("account.health", "account.kpis", "risk.alerts")}
    sink, other = under_test.sink(), under_test.sink()
    assert isinstance(sink, Positioned)
    assert isinstance(other, Positioned)
    with closing(sink), closing(other):
        sink.open()
        other.open()
        assert set(sink.resume(parts).values()) == {0}
        store(sink, story())
        sink.reached(parts)
        until(lambda: _stored(sink, parts), what="its positions")

        removed: list[int] = []
        other.clear(removed.append)

        assert removed[-1] > 0
        with pytest.raises(SetBackError):
            sink.reached({})
        assert sink.resume(parts) == dict.fromkeys(parts, 0)
        sink.write(of(sink, story()))
        sink.reached(parts)
        until(lambda: _stored(sink, parts), what="its positions")
    assert under_test.content() == never_cleared.content()


@pytest.mark.conformance("memory")
@pytest.mark.parametrize("fresh", REFUSING, indirect=True)
def test_memory_does_not_grow_with_what_was_written(under_test: SinkUnderTest) -> None:
    """A round is about 400 kB of records; what stays of each of the last twelve must be less than a tenth."""
    sink = under_test.sink()
    parts = {f"{topic}/0": 0 for topic in ("account.health", "account.kpis", "risk.alerts")}
    with closing(sink):
        sink.open()
        if isinstance(sink, Positioned):
            sink.resume(parts)
        for number in range(16):
            if number == 4:
                gc.collect()
                tracemalloc.start()
            later = [_later(each, number * 1_000) for each in story()]
            sink.write(of(sink, later))
            if isinstance(sink, Positioned):
                at = dict.fromkeys(parts, number + 1)
                sink.reached(at)
                until(lambda at=at: _stored(sink, at))  # type: ignore[misc]
            del later
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert grown < 12 * 40_000


def _stored(sink: Positioned, positions: dict[str, int]) -> bool:
    sink.reached(positions)
    return sink.positions() == positions


def _later(record: Output, by: int) -> Output:
    time = "changed_at" if isinstance(record, RiskAlert) else "as_of"
    return replace(record, **{time: getattr(record, time) + by, "sequence": record.sequence + by})


def erased(under_test: SinkUnderTest, subject: Subject) -> None:
    """Erase by a sink of its own, after a dry run that must change nothing, and twice."""
    sink = under_test.sink()
    assert isinstance(sink, Erasable)
    with closing(sink):
        sink.open()
        before = under_test.content()
        planned = sink.erase(subject, dry_run=True)
        assert under_test.content() == before
        assert sum(planned.values()) > 0
        assert sum(sink.erase(subject).values()) >= sum(planned.values())
        once = under_test.content()
        assert sum(sink.erase(subject).values()) == 0
        assert under_test.content() == once


AMBER: list[Output] = [
    health("amber-foods", 5, 20.0, name="Amber Foods"),
    health("amber-foods", 6, 80.0, name="Amber Foods"),
    kpis("amber-foods", {"revenue.before": 5.0}, 6),
    alert("alert-of-it", 7, account_id="amber-foods", name="Amber Foods", title="Amber Foods is at risk"),
]


@pytest.mark.conformance("erasure")
@pytest.mark.parametrize("fresh", ERASABLE, indirect=True)
def test_an_erased_account_leaves_nothing_and_others_stay(fresh: Iterator[SinkUnderTest]) -> None:
    under_test, without = next(fresh), next(fresh)
    write(under_test, [*story(), *AMBER])
    write(without, story())
    assert "amber" in repr(under_test.content()).lower()

    erased(under_test, Subject("demo", "amber-foods", ("amber-foods", "Amber Foods"), AT + 9))

    left = repr(under_test.content())
    assert "amber" not in left.lower()
    assert all(each in left for each in ("a0", "a5", "al2"))
    write(under_test, story())
    write(without, story())
    others, expected = under_test.content(), without.content()
    if isinstance(others, dict):
        others.pop("erased", None)  # a hash of the account
        expected.pop("erased", None)
    assert others == expected


@pytest.mark.conformance("erasure")
@pytest.mark.parametrize("fresh", ERASABLE, indirect=True)
def test_what_an_account_does_after_its_erasure_stays(fresh: Iterator[SinkUnderTest]) -> None:
    under_test, without = next(fresh), next(fresh)
    later: list[Output] = [
        health("amber-foods", 50, 60.0),
        kpis("amber-foods", {"revenue.before": 7.0}, 50),
        alert("its-next", 51, account_id="amber-foods"),
    ]
    write(under_test, [*AMBER, *later])
    write(without, later)

    erased(under_test, Subject("demo", "amber-foods", ("amber-foods",), AT + 9))

    left, expected = under_test.content(), without.content()
    if isinstance(left, dict):
        left.pop("erased", None)
        expected.pop("erased", None)
    assert left == expected


@pytest.mark.conformance("erasure")
@pytest.mark.parametrize("fresh", ERASABLE, indirect=True)
def test_an_erased_person_is_named_nowhere_and_the_account_stays(fresh: Iterator[SinkUnderTest]) -> None:
    under_test = next(fresh)
    kim = "kim.o'neil+x@amber.example"
    write(
        under_test,
        [
            *story(),
            health("b1", 5, owner=kim, reasons=[f"{kim} {kim} left", f"of not{kim}"]),
            alert("one", 6, account_id="b1", acknowledged_by=kim, note=f"asked {kim}, twice"),
            health("b2", 7, owner="joan"),
        ],
    )

    erased(under_test, Subject("demo", None, (kim,), 0))

    left = repr(under_test.content()).replace(f"not{kim}", "").replace(f"not{kim!r}"[:-1], "")
    assert "kim.o" not in left.replace("notkim.o", "")
    assert all(each in left for each in ("b1", "b2", "joan", "erased"))


@pytest.mark.conformance("reconcile")
@pytest.mark.parametrize("fresh", RECONCILABLE, indirect=True)
def test_entries_are_those_of_the_newest_records_and_a_wrong_one_is_removed(
    fresh: Iterator[SinkUnderTest],
) -> None:
    under_test, right = next(fresh), next(fresh)
    newest: dict[tuple[type[Output], str], AccountHealth | AccountKpis] = {}
    for record in story():
        if isinstance(record, AccountHealth | AccountKpis):
            newest[type(record), record.account_id] = record
    wrong = [newest[AccountHealth, "a1"], newest[AccountKpis, "a2"]]
    write(right, list(newest.values()))
    write(under_test, [record for record in newest.values() if record not in wrong])
    sink = under_test.sink()
    assert isinstance(sink, Reconcilable)
    with closing(sink):
        sink.open()
        older = [replace(wrong[0], name="Other", score=1.0), replace(wrong[1], measures=[])]
        sink.write(older)
        for kind in (AccountHealth, AccountKpis):
            expected = {sink.entry(record) for (of_kind, _), record in newest.items() if of_kind is kind}
            there = set(sink.entries_of(kind))
            assert {each.account_id for each in there} == {each.account_id for each in expected}
            differing = there - expected
            assert [each.account_id for each in differing] == ["a1" if kind is AccountHealth else "a2"]
            others = [each._replace(sequence=each.sequence - 1) for each in differing]
            removals = [sink.remove, *([sink.remove_with_older] if isinstance(sink, Historical) else [])]
            for remove in removals:
                remove(kind, others)
                assert set(sink.entries_of(kind)) == there  # a newer one has come
            sink.remove(kind, list(differing))
        sink.write(wrong)
        for kind in (AccountHealth, AccountKpis):
            assert set(sink.entries_of(kind)) == {
                sink.entry(record) for (of_kind, _), record in newest.items() if of_kind is kind
            }
