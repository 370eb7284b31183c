"""An account's KPIs follow what it is judged by within a minute, and are not published more often."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.measures import View
from processors.model import DEFAULT
from processors.scoring.score import assess, inform
from processors.state.encoding import decode_state
from schemas.records import JournalBatch
from tests.support.generators import NOW, batchings, histories
from tests.support.recorded_partition import RecordedPartition

MINUTE = 60_000


def told(raw: bytes, at: int) -> list[object]:
    """All that the default model says of an account, counted or not."""
    state = decode_state(raw)
    verdict, view = assess(state, at, DEFAULT), View(state, at)
    informing, _ = inform(verdict.plan, [read(view) for read in verdict.plan.shows], at)
    return [*verdict.measures, *informing]


@given(st.data())
@settings(max_examples=60)
def test_they_follow_within_a_minute_and_come_no_more_often(data: st.DataObject) -> None:
    partition, now = RecordedPartition(), NOW
    batches = data.draw(batchings(data.draw(histories().filter(bool))))
    for batch in batches:
        now += data.draw(st.integers(1, 2 * MINUTE))
        partition.add(replace(batch, written_at=now))
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
