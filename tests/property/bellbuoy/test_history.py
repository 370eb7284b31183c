"""An account's past, folded alone, is what was published of it among all; and moves add up."""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bellbuoy.query.history import AccountHistory, Step, history_of, steps
from schemas.records import AccountHealth, AccountKpis, JournalBatch
from schemas.times import DAY
from tests.property.processors.test_shared import journals
from tests.support.fold_partitions import Partitions, link
from tests.support.generators import NOW, batchings, histories, times
from tests.support.recorded_partition import RecordedPartition

T = TypeVar("T", AccountHealth, AccountKpis)


@st.composite
def eventful(draw: st.DrawFn) -> Any:
    """Events of every kind of two accounts, in batches that time lies between."""
    now, batches = NOW, []
    for batch in draw(batchings(draw(histories()))):
        batches.append(replace(batch, written_at=now))
        now += draw(st.integers(0, 20 * DAY))
    return batches


def numbered(batches: list[JournalBatch]) -> list[tuple[int, JournalBatch]]:
    return list(enumerate(batches))


def check(batches: list[JournalBatch]) -> None:
    partition = RecordedPartition()
    for batch in batches:
        partition.add(batch)
    for account in {health.account_id for health in partition.health}:
        found = list(steps(numbered(batches), 0, "acme", account))
        assert healths(found) == [h for h in partition.health if h.account_id == account]
        kpis = [step.kpis for step in found if step.kpis is not None]
        assert kpis == [one for one in partition.kpis if one.account_id == account]
        alerts = [alert for step in found for alert in step.alerts]
        assert alerts == [alert for alert in partition.alerts if alert.account_id == account]


@given(eventful())
def test_an_account_alone_has_the_past_it_had_among_all(batches: list[JournalBatch]) -> None:
    check(batches)


@given(journals())
@settings(max_examples=60)
def test_models_overrides_and_silent_sources_are_those_of_then(batches: list[JournalBatch]) -> None:
    check(batches)


@given(st.data())
@settings(max_examples=60)
def test_what_was_linked_or_merged_is_in_the_past_of_the_account_it_belongs_to(data: st.DataObject) -> None:
    names = ("~user:u-1", "old", "a")
    happened = [
        replace(event, account_id=data.draw(st.sampled_from(names))) for event in data.draw(histories())
    ]
    links = [link(name, "a", data.draw(times)) for name in names[:2]]
    found = Partitions()
    found.send(*data.draw(st.permutations([*happened, *links])))
    found.run(data)
    published = [health for outcome in found.outcomes for _, health in outcome.health]
    for account in names:
        home = found.of(account)
        past = list(steps(numbered(home.journal), home.number, "acme", account))
        assert healths(past) == [h for h in published if h.account_id == account]


@given(journals() | eventful())
@settings(max_examples=60)
def test_parts_sum_to_the_move_and_moves_to_the_score(batches: list[JournalBatch]) -> None:
    for account in ("a", "a0", "a5"):
        past = history_of(numbered(batches), 0, "acme", account, since=0)
        for moved in past.moves:
            assert sum(hundredths(points) for points in moved.parts.values()) == hundredths(moved.change)
            assert hundredths(moved.after) - hundredths(moved.before or 0) == hundredths(moved.change)
            assert moved.came
        if past.health is not None:
            assert sum(hundredths(moved.change) for moved in past.moves) == hundredths(past.health.score)
            assert {alert.alert_id for alert in past.alerts} == set(past.health.open_alerts)


@given(eventful(), st.integers(0, 40))
def test_the_past_at_a_time_is_the_last_that_was_published_by_then(
    batches: list[JournalBatch], day: int
) -> None:
    until = NOW + day * DAY
    whole = history_of(numbered(batches), 0, "acme", "a")
    part = history_of(numbered(batches), 0, "acme", "a", until=until)
    every = list(steps(numbered(batches), 0, "acme", "a"))
    for past, end in ((part, until), (whole, 2**62)):
        assert past.health == last(healths(every), end)
        assert past.kpis == last([step.kpis for step in every if step.kpis is not None], end)
    assert part.batches == sum(batch.written_at <= until for batch in batches)


def healths(found: list[Step]) -> list[AccountHealth]:
    return [step.health for step in found if step.health is not None]


def last(every: list[T], until: int) -> T | None:
    return next((one for one in reversed(every) if one.as_of <= until), None)


def hundredths(points: float) -> int:
    return round(points * 100)


def test_an_empty_journal_has_no_past() -> None:
    assert history_of([], 0, "acme", "a") == AccountHistory()
