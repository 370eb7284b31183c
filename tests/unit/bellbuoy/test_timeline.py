"""The timeline of an account: its own events alone, the newest first, and usage by weeks from Monday."""

from __future__ import annotations

from datetime import UTC, datetime

from bellbuoy.query.timeline import KINDS, timeline_of
from schemas.inputs import INPUTS, MODELS, OWNER_ALERTS, TRANSFERS, USAGE
from schemas.records import EngagementEvent, JournalBatch, UsageCell
from schemas.times import DAY

MONDAY = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp() * 1000)


def _touch(account_id: str, at: int) -> EngagementEvent:
    return EngagementEvent(
        event_id=f"e{at}", tenant="demo", account_id=account_id, source="test", occurred_at=at,
        received_at=at, kind="meeting", name="Renewal",
    )  # fmt: skip


def _cell(account_id: str, at: int, users: int, features: list[str]) -> UsageCell:
    return UsageCell(
        tenant="demo", account_id=account_id, day=at // DAY, events=10, errors=1, duration_ms=0, latency_ms=0,
        latencies=0, users=b"".join(n.to_bytes(4, "little") for n in range(users)), features=features,
        first_at=at, last_at=at, received_at=at,
    )  # fmt: skip


def test_it_has_the_accounts_own_events_the_newest_first() -> None:
    batches = [
        JournalBatch(sequence=4, written_at=MONDAY, engagement=[_touch("a", MONDAY), _touch("b", MONDAY)]),
        JournalBatch(sequence=5, written_at=MONDAY + DAY, engagement=[_touch("a", MONDAY - 3 * DAY)]),
        JournalBatch(sequence=6, written_at=MONDAY + 2 * DAY, engagement=[_touch("a", MONDAY + DAY)]),
    ]
    found = timeline_of(batches, "demo", "a")
    assert [entry.at for entry in found.entries] == [MONDAY + DAY, MONDAY, MONDAY - 3 * DAY]
    assert {(entry.kind, entry.what) for entry in found.entries} == {("contact", "meeting: Renewal")}
    assert (found.begins, found.whole) == (MONDAY, False)
    assert timeline_of(batches, "other", "a").entries == []


def test_usage_is_summed_by_weeks_and_a_feature_by_its_days() -> None:
    batches = [
        JournalBatch(sequence=0, written_at=MONDAY, usage=[_cell("a", MONDAY - 1, 5, ["export"])]),
        JournalBatch(
            sequence=1,
            written_at=MONDAY + 7 * DAY,
            usage=[
                _cell("a", MONDAY, 2, ["export", "chat"]),
                _cell("a", MONDAY, 3, ["export"]),
                _cell("a", MONDAY + 6 * DAY, 1, ["export"]),
                _cell("b", MONDAY, 9, ["export"]),
            ],
        ),
    ]
    this, last = timeline_of(batches, "demo", "a").weeks
    assert (this.begins, this.events, this.errors, len(this.users)) == (MONDAY, 30, 3, 3)
    assert this.features == {"export": 2, "chat": 1}
    assert (last.begins, last.events, len(last.users)) == (MONDAY - 7 * DAY, 10, 5)
    assert timeline_of(batches, "demo", "a").features == ["export", "chat"]


def test_no_input_about_an_account_is_left_out() -> None:
    apart = {USAGE, TRANSFERS, MODELS, OWNER_ALERTS}
    assert KINDS.keys() == {each.batch_field for each in INPUTS if each not in apart}
