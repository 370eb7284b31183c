"""What the state knows depends on the set of events alone; what is decided depends on the journal alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.state.activity import active_days, last_day
from processors.state.encoding import decode_state
from schemas.codec.record_codec import codec
from schemas.records import UsageEvent
from schemas.times import DAY
from tests.support.generators import NOW, batchings, histories
from tests.support.known_state import knowledge
from tests.support.reference_fold import reference_fold


@given(st.data())
def test_order_and_batching_do_not_matter(data: st.DataObject) -> None:
    happened = data.draw(histories())
    one, _ = reference_fold(data.draw(batchings(happened)))
    other, _ = reference_fold(data.draw(batchings(happened)))
    assert {k: knowledge(v) for k, v in one.items()} == {k: knowledge(v) for k, v in other.items()}


@given(st.data())
def test_a_score_does_not_depend_on_order(data: st.DataObject) -> None:
    happened = data.draw(histories())
    one, _ = reference_fold(data.draw(batchings(happened)))
    other, _ = reference_fold(data.draw(batchings(happened)))
    assert {k: decode_state(v).score for k, v in one.items()} == {
        k: decode_state(v).score for k, v in other.items()
    }


@given(st.data())
def test_a_replay_gives_the_same_bytes(data: st.DataObject) -> None:
    batches = data.draw(batchings(data.draw(histories())))
    health, kpis, alert = codec("account.health"), codec("account.kpis"), codec("risk.alerts")
    runs = []
    for _ in range(2):
        states, outcomes = reference_fold(batches)
        written = [
            (
                [(k, health.encode(h)) for k, h in o.health],
                [(k, kpis.encode(one)) for k, one in o.kpis],
                [(k, alert.encode(a)) for k, a in o.alerts],
            )
            for o in outcomes
        ]
        runs.append((states, written))
    assert runs[0] == runs[1]


@given(st.data())
def test_batches_folded_together_say_what_they_say_alone(data: st.DataObject) -> None:
    """However many batches share an outcome, and whether states come as bytes or as values."""
    batches, now = [], NOW
    for batch in data.draw(batchings(data.draw(histories()))):
        batches.append(replace(batch, written_at=now))
        now += data.draw(st.integers(0, 20 * DAY))
    expected, outcomes = reference_fold(batches)
    folded = FoldedPartition(0, Shared(), cache_bytes=data.draw(st.sampled_from((None, 0, 500))))
    published, left = [], list(enumerate(batches))
    while left:
        size = data.draw(st.integers(1, len(left)))
        together, left = left[:size], left[size:]
        for outcome in folded.apply(together):
            published += [*outcome.health, *outcome.kpis, *outcome.alerts]
    assert folded.states == expected
    alone = [record for o in outcomes for record in [*o.health, *o.kpis, *o.alerts]]
    assert sorted(published, key=repr) == sorted(alone, key=repr)
    assert folded.position == outcomes[-1].position


@given(st.data())
def test_every_event_is_applied_once(data: st.DataObject) -> None:
    happened = data.draw(histories())
    states, outcomes = reference_fold(data.draw(batchings(happened)))
    assert sum(decode_state(raw).applied for raw in states.values()) == len(happened)
    assert outcomes[-1].position.applied == len(happened)


@given(st.data())
def test_contributions_sum_to_the_score(data: st.DataObject) -> None:
    _, outcomes = reference_fold(data.draw(batchings(data.draw(histories()))))
    for outcome in outcomes:
        for _, health in outcome.health:
            listed = (health.measures, health.adjustments, health.caps)
            parts = [part.contribution for parts in listed for part in parts]
            assert abs(sum(parts) - health.score) < 1e-9
            assert 0 <= health.score <= 100
            assert 0 <= health.coverage <= 1


@given(st.data())
def test_windows_equal_a_recount(data: st.DataObject) -> None:
    happened = data.draw(histories())
    states, _ = reference_fold(data.draw(batchings(happened)))
    today = NOW // DAY
    for raw in states.values():
        state = decode_state(raw)
        mine = [e for e in happened if isinstance(e, UsageEvent) and e.account_id == state.account_id]
        for days in (1, 7, 28, 90):
            inside = [e for e in mine if today - days < e.occurred_at // DAY <= today]
            ring = [b for d, b in state.usage.days.items() if today - days < d <= today]
            assert sum(b.events for b in ring) == len(inside)
            assert sum(b.duration_ms for b in ring) == sum(e.duration_ms or 0 for e in inside)
            assert sum(b.errors for b in ring) == sum(e.error for e in inside)
            users = {u for u, activity in state.usage.users.items() if last_day(activity) > today - days}
            assert len(users) == len({e.user_id for e in inside if e.user_id is not None})
        recent = [e for e in mine if e.user_id is not None]
        for activity in state.usage.users.values():
            last = last_day(activity)
            assert all(last - 32 < day <= last for day in active_days(activity))
        pairs = {(e.user_id, e.occurred_at // DAY) for e in recent}
        within = 0
        for user in {u for u, _ in pairs}:
            days_of = sorted(d for u, d in pairs if u == user)
            within += sum(1 for d in days_of if d > days_of[-1] - 32)
        assert sum(len(active_days(activity)) for activity in state.usage.users.values()) == within


@given(st.data())
def test_alert_episodes_open_and_close_in_turn(data: st.DataObject) -> None:
    _, outcomes = reference_fold(data.draw(batchings(data.draw(histories()))))
    open_now: set[str] = set()
    for outcome in outcomes:
        for _, alert in outcome.alerts:
            if alert.change == "opened":
                assert alert.alert_id not in open_now
                open_now.add(alert.alert_id)
            else:
                assert alert.alert_id in open_now
                if alert.change == "resolved":
                    open_now.discard(alert.alert_id)
    for outcome in outcomes[-1:]:
        for _, health in outcome.health:
            assert set(health.open_alerts) <= open_now
