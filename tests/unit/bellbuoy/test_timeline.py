"""The timeline of an account: its own events alone, the newest first, and usage by weeks from Monday."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from msgspec.structs import replace

from bellbuoy.console.account import Happenings
from bellbuoy.query.timeline import KINDS, timeline_of
from schemas.inputs import FEED_REPORTS, INPUTS, MODELS, OWNER_ALERTS, TRANSFERS, USAGE
from schemas.records import AlertAction, EngagementEvent, JournalBatch, UsageCell
from schemas.times import DAY
from tests.support.output_records import alert

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


def test_alerts_open_and_end_in_it_and_are_spans_of_time() -> None:
    opened = alert("x1", account_id="a", opened_at=MONDAY, changed_at=MONDAY, title="Usage fell")
    noted = replace(opened, change="updated", changed_at=MONDAY + 1, note="Mine")
    ended = replace(noted, change="resolved", changed_at=MONDAY + DAY, resolution="not_judged")
    later = replace(opened, alert_id="x2", opened_at=MONDAY + 2, changed_at=MONDAY + 2, title="Unpaid")
    shadow = replace(later, alert_id="x3", shadow=True)
    found = timeline_of([], "demo", "a", [opened, noted, later, shadow, ended])
    assert [(one.kind, one.what) for one in found.entries] == [
        ("alert", "alert resolved: Usage fell, not judged"),
        ("alert", "alert opened: Unpaid"),
        ("alert", "alert opened: Usage fell"),
    ]
    spans = orjson.loads(Happenings(found).spans)
    assert spans == [
        [(MONDAY + 2) // 1000, None, "warning", "Unpaid"],
        [MONDAY // 1000, (MONDAY + DAY) // 1000, "warning", "Usage fell"],
    ]


def test_notes_and_tasks_are_kinds_of_their_own() -> None:
    noted = AlertAction(
        event_id="e", tenant="demo", account_id="a", source="test", occurred_at=MONDAY, received_at=MONDAY,
        alert_id="", kind="noted", author="kim", note="They hire",
    )  # fmt: skip
    acts = [noted, replace(noted, kind="task_set", alert_id="k"), replace(noted, kind="acknowledged")]
    found = timeline_of([JournalBatch(sequence=0, written_at=MONDAY, actions=acts)], "demo", "a")
    assert [one.kind for one in found.entries] == ["note", "task", "alert"]


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
    apart = {USAGE, TRANSFERS, MODELS, OWNER_ALERTS, FEED_REPORTS}
    assert KINDS.keys() == {each.batch_field for each in INPUTS if each not in apart}
