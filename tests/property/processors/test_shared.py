"""What a partition's accounts share: grouping batches, and restarting between them, changes no byte."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import AccountOverride, FeedReport, JournalBatch, ModelChange
from schemas.times import DAY, HOUR
from tests.support import generators as strategies
from tests.support.recorded_partition import KIND, STRICT, RecordedPartition

TEXTS = (STRICT, KIND, STRICT.replace("version: 3", "version: 4"), None)


@st.composite
def journals(draw: st.DrawFn) -> list[JournalBatch]:
    """Usage of a dozen accounts over weeks with pauses, changes of models, and overrides."""
    from schemas.records import UsageEvent

    now, batches = strategies.NOW - 60 * DAY, []
    accounts = [f"a{n}" for n in range(12)]
    for number in range(draw(st.integers(2, 30))):
        now += draw(st.sampled_from((1_000, 30_000, HOUR, DAY, DAY, 8 * DAY)))
        basics = {"tenant": "acme", "source": "test", "occurred_at": now, "received_at": now}
        who = draw(st.sampled_from((accounts, accounts, accounts[:2], [])))
        used: list[Any] = [
            UsageEvent(event_id=f"e{number}-{one}", account_id=one, name="did", user_id="u", **basics)
            for one in who
        ]
        one = strategies.batch(number, now, used)
        models, overrides = [], []
        if draw(st.integers(0, 5)) == 0:
            text = draw(st.sampled_from(TEXTS))
            models = [
                ModelChange(
                    event_id=f"m{number}",
                    account_id="*",
                    author="kim",
                    text=text,
                    role=draw(st.sampled_from(("live", "live", "beside"))),
                    name="strict",
                    **basics,
                )
            ]
        if draw(st.integers(0, 4)) == 0:
            overrides = [
                AccountOverride(
                    event_id=f"o{number}",
                    account_id=draw(st.sampled_from(accounts)),
                    target=draw(st.sampled_from(("score", "usage.frequency"))),
                    value=draw(st.none() | st.sampled_from((0.0, 50.0, 100.0))),
                    reason="r",
                    author="kim",
                    expires_at=draw(st.none() | st.just(now + DAY)),
                    **basics,
                )
            ]
        reports = [
            FeedReport(
                event_id=f"r{number}-{back}",
                account_id="*",
                topic="usage.events",
                day=now // DAY - back,
                expected=12,
                short=draw(st.sampled_from((0, 6, 12))),
                newly_short=draw(st.sampled_from((0, 6))),
                **basics,
            )
            for back in draw(st.sampled_from(((), (), (1,), (1, 2), (9, 8))))
        ]
        batches.append(
            JournalBatch(
                sequence=number,
                written_at=now,
                usage=one.usage,
                models=models,
                overrides=overrides,
                feed_reports=reports,
            )
        )
    return batches


@given(journals(), st.data())
@settings(max_examples=60)
def test_neither_grouping_nor_a_restart_changes_a_byte(
    batches: list[JournalBatch], data: st.DataObject
) -> None:
    one, other = RecordedPartition(), RecordedPartition()
    for batch in batches:
        one.add(batch)
    left = list(batches)
    while left:
        some = data.draw(st.integers(1, len(left)))
        other.add(*left[:some])
        del left[:some]
        if data.draw(st.booleans()):
            other.restart()
    assert other.states == one.states
    assert other.entries == one.entries
    assert other.health == one.health
    assert other.kpis == one.kpis
    assert other.alerts == one.alerts


@given(journals())
@settings(max_examples=40)
def test_the_parts_of_a_score_sum_to_it_whatever_is_said_of_it(batches: list[JournalBatch]) -> None:
    partition = RecordedPartition()
    partition.add(*batches)
    for health in partition.health:
        parts = [*health.measures, *health.adjustments, *health.caps]
        assert abs(sum(part.contribution for part in parts) - health.score) < 1e-6
