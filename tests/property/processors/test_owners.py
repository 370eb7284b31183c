"""The owners' stage: however batches are folded, wherever it restarts, it decides the same, byte for byte."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.owners.notifications import owner_alert
from schemas.codec.record_codec import codec
from schemas.records import JournalBatch, ModelChange, OwnerAlert
from schemas.times import DAY, HOUR, MINUTE
from tests.support.owner_alerts import NOON, risk_alert
from tests.support.recorded_partition import RecordedPartition

POLICY = """
policy: small
version: {version}
everybody: {{hours: 09:00-17:00, budget: {budget}, manager: Kim, digest_at: 10:00}}
people:
  Ines: {{away: [{{from: 2026-09-22, until: 2026-09-23, substitute: Jon}}]}}
digest: {{only: [notice], alerts: 2}}
escalation: {{critical: [{{after: 1h, to: manager}}], warning: [{{after: 3h, to: Vera}}]}}
storms: {{accounts: 4, share: 0, within: 10m, quiet: 15m, wait: {wait}}}
maintenance: [{{from: "2026-09-22T10:00", until: "2026-09-22T13:00"}}]
"""


@st.composite
def journals(draw: st.DrawFn) -> list[JournalBatch]:
    """Lives of a few alerts over some days, with people who act on them and policies that change."""
    now, batches, open_alerts = NOON, [], {}
    for number in range(draw(st.integers(2, 25))):
        now += draw(st.sampled_from((1_000, 30_000, MINUTE, HOUR, HOUR, 5 * HOUR, DAY)))
        changes: list[OwnerAlert] = []
        for account in draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)):
            before = open_alerts.get(account)
            fields: dict[str, Any] = {"changed_at": now, "sequence": number}
            if before is None:
                alert = risk_alert(account, opened_at=now, alert_id=f"{account}{number}", **fields)
                alert = replace(alert, owner=draw(owners), severity=draw(severities))
            else:
                fields["change"] = draw(st.sampled_from(("updated", "updated", "resolved")))
                fields |= draw(st.fixed_dictionaries({}, optional={
                    "severity": severities,
                    "owner": owners,
                    "acknowledged_by": st.sampled_from((None, "Ines")),
                    "snoozed_until": st.sampled_from((None, now + 2 * HOUR, now + DAY)),
                }))  # fmt: skip
                alert = replace(before, **fields)
            open_alerts[account] = None if alert.change == "resolved" else alert
            changes.append(owner_alert(alert))
        models = []
        if draw(st.integers(0, 6)) == 0:
            budget, wait = draw(st.integers(0, 2)), draw(st.sampled_from(("0", "5s", "1m")))
            text = POLICY.format(version=number + 1, budget=budget, wait=wait)
            models = [policy_change(number, now, draw(st.sampled_from((text, text, None))))]
        batches.append(JournalBatch(sequence=number, written_at=now, owner_alerts=changes, models=models))
    later = [now + step for step in (HOUR, DAY, DAY + HOUR, 2 * DAY, 4 * DAY)]
    return [
        *batches,
        *(JournalBatch(sequence=len(batches) + n, written_at=at) for n, at in enumerate(later)),
    ]


owners = st.sampled_from(("Ines", "Jon", None))
severities = st.sampled_from(("notice", "warning", "critical"))


def policy_change(number: int, now: int, text: str | None) -> ModelChange:
    return ModelChange(
        event_id=f"p{number}",
        tenant="acme",
        account_id="*",
        source="test",
        occurred_at=now,
        received_at=now,
        author="kim",
        text=text,
        role="policy",
        name="small",
    )


def decided(partition: RecordedPartition) -> tuple[Any, ...]:
    encode = codec("alert.notifications").encode
    return partition.folded.owner_rows, partition.entries, [encode(n) for n in partition.notifications]


@given(st.data())
def test_grouping_and_restarts_change_no_byte(data: st.DataObject) -> None:
    batches = data.draw(journals())
    one, other = RecordedPartition(), RecordedPartition()
    for batch in batches:
        one.add(batch)
    left = batches
    while left:
        size = data.draw(st.integers(1, len(left)))
        other.add(*left[:size])
        left = left[size:]
        if data.draw(st.booleans()):
            other.restart()
    assert decided(one) == decided(other)


@given(st.data())
def test_nobody_hears_a_thing_twice_and_everybody_hears_the_end(data: st.DataObject) -> None:
    partition = RecordedPartition()
    partition.add(*data.draw(journals()))
    ids = Counter(n.notification_id for n in partition.notifications)
    assert set(ids.values()) <= {1}
    ended = {n.alerts[0].alert_id for n in partition.notifications if n.alerts[0].change == "resolved"}
    after_end: set[str] = set()
    for notification in partition.notifications:
        alerts = {alert.alert_id for alert in notification.alerts}
        if notification.kind != "alert":
            assert not alerts & after_end, "a digest or an escalation of what is over"
        after_end |= {a.alert_id for a in notification.alerts if a.change == "resolved"}
    told = {n.alerts[0].alert_id for n in partition.notifications if n.kind in ("alert", "page")}
    assert ended <= told
