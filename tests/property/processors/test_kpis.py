"""An account's KPIs follow what it is judged by within a minute, and are not published more often."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.measures import MEASURES
from processors.model import DEFAULT
from processors.scoring.score import assess, inform
from processors.state.encoding import decode_state
from processors.view import View
from schemas.records import JournalBatch
from tests.support.generators import NOW, batch, batchings, histories
from tests.support.recorded_partition import RecordedPartition

MINUTE = 60_000
ONE_OF_MANY = re.compile(r"(?<![\d.,-])1 (?!was\b|is\b|as\b|ms\b)[a-z]*s\b")
"""One of something in the plural, such as "1 days"."""


def told(raw: bytes, at: int) -> list[object]:
    """All that the default model says of an account, counted or not."""
    state = decode_state(raw)
    verdict, view = assess(state, at, DEFAULT), View(state, at)
    informing, _ = inform(verdict.plan, [read(view) for read in verdict.plan.shows], at)
    return [*verdict.measures, *informing]


@given(histories().filter(bool), st.integers(0, 40 * 24 * 60))
@settings(max_examples=200)
def test_no_measure_says_one_days(history: list[Any], minutes: int) -> None:
    partition = RecordedPartition()
    partition.add(batch(0, NOW, history))
    views = [View(decode_state(raw), NOW + minutes * MINUTE) for raw in partition.states.values()]
    said = [read(view).reason for view in views for read in MEASURES.values()]
    assert [reason for reason in said if ONE_OF_MANY.search(reason)] == []


@given(st.data())
@settings(max_examples=60)
def test_they_follow_within_a_minute_and_come_no_more_often(data: st.DataObject) -> None:
    partition, now = RecordedPartition(), NOW
    batches = data.draw(batchings(data.draw(histories().filter(bool))))
    for each in batches:
        now += data.draw(st.integers(1, 2 * MINUTE))
        partition.add(replace(each, written_at=now))
    for n in (1, 2):  # whoever is due, and then nobody any more
        partition.add(JournalBatch(sequence=len(batches) + n - 1, written_at=now + n * MINUTE))

    for raw in partition.states.values():
        account = decode_state(raw).account_id
        records = [one for one in partition.kpis if one.account_id == account]
        healths = [one for one in partition.health if one.account_id == account]
        assert healths[-1].as_of <= records[-1].as_of <= now + MINUTE
        assert records[-1].measures == told(raw, records[-1].as_of)
        times = [one.as_of for one in records]
        assert all(third - first > MINUTE for first, third in zip(times, times[2:], strict=False))
