"""What is remembered of an account changes nothing of what is said and stored, only how long that takes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.fold.evaluation_cache import LoadedAccount
from processors.fold.fold import Fold
from processors.fold.models_in_force import Models
from processors.fold.shared import Shared
from processors.measures import MEASURES, USAGE, View
from processors.model import load_model
from processors.observe import observe_usage
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas.records import JournalBatch, UsageEvent
from schemas.times import DAY
from tests.support.generators import NOW, batch, batchings, histories

NOON = NOW // DAY * DAY + DAY // 2
EVERYTHING = load_model(
    json.dumps(
        {
            "model": "everything",
            "version": 1,
            "measures": {name: {"curve": {"points": [[0, 0], [50, 100]]}} for name in MEASURES},
            "caps": {name: {"measure": name, "at_least": 20, "limit": 70} for name in MEASURES},
            "bands": [{"band": "critical", "below": 40}, {"band": "healthy"}],
            "variants": {"old": {"priority": 1, "when": "account.tenure_days > 40", "score": {"max": 90}}},
        }
    )
)
"""A model that asks every measure."""


@st.composite
def visits(draw: st.DrawFn, now: int) -> list[UsageEvent]:
    """Usage that an account may bring at this moment, most of it of the day."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        back = draw(st.sampled_from((0, 0, 0, 1, 8, 30, 80)))
        found.append(
            UsageEvent(
                event_id=f"{now}-{number}",
                tenant="acme",
                account_id=draw(st.sampled_from("ab")),
                source="test",
                occurred_at=max(now - back * DAY - draw(st.integers(0, 3_600_000)), 0),
                received_at=now,
                user_id=draw(st.sampled_from("uvwxyz")),
                name="did",
                feature=draw(st.none() | st.sampled_from("fgh")),
                error=draw(st.booleans()),
                latency_ms=draw(st.none() | st.integers(0, 900)),
            )
        )
    return found


@st.composite
def days(draw: st.DrawFn) -> list[JournalBatch]:
    """A past, and then usage and some other events, minutes to days apart."""
    batches = [replace(one, written_at=NOON) for one in draw(batchings(draw(histories(30))))]
    now = NOON
    for number in range(len(batches), len(batches) + draw(st.integers(1, 8))):
        now += draw(st.sampled_from((0, 60_000, 3_600_000, 7 * 3_600_000, DAY, 9 * DAY)))
        happened = draw(visits(now))
        if draw(st.integers(0, 4)) == 0:
            happened += [replace(e, event_id=f"{now}-{e.event_id}") for e in draw(histories(2))]
        batches.append(batch(number, now, happened))
    return batches


def said(batches: list[JournalBatch], *, remember: bool) -> list[object]:
    states: dict[bytes, bytes] = {}
    kept: dict[bytes, LoadedAccount] = {}
    position, found = Position(), []

    def take(key: bytes) -> LoadedAccount | None:
        return kept.pop(key, None) if remember else None

    for offset, one in enumerate(batches):
        fold = Fold(states, position, partition=0, shared=Shared(Models(EVERYTHING)), take=take)
        moments = {key: decode_state(raw).due for key, raw in states.items()}
        due = [key for key, at in moments.items() if at is not None and at <= one.written_at]
        fold.add(one, offset, due)
        outcome = fold.outcome()
        states |= outcome.states
        kept |= outcome.known
        position = outcome.position
        found += [outcome.states, outcome.health, outcome.kpis, outcome.alerts]
    return found


@given(days())
def test_remembering_changes_no_byte(batches: list[JournalBatch]) -> None:
    assert said(batches, remember=True) == said(batches, remember=False)


@given(st.data())
def test_usage_changes_no_measure_that_does_not_name_it(data: st.DataObject) -> None:
    """What a measure declares as its sources is what it reads."""
    batches = [replace(one, written_at=NOON) for one in data.draw(batchings(data.draw(histories(30))))]
    states: dict[bytes, bytes] = {}
    position = Position()
    for offset, one in enumerate(batches):
        fold = Fold(states, position, partition=0, shared=Shared(Models(EVERYTHING)))
        fold.add(one, offset, ())
        outcome = fold.outcome()
        states |= outcome.states
        position = outcome.position
    more = batch(0, NOON, data.draw(visits(NOON))).usage
    others = [measured for measured in MEASURES.values() if USAGE not in measured.sources]
    for raw in states.values():
        state = decode_state(raw)
        before = [measured(View(state, NOON)) for measured in others]
        for cell in more:
            observe_usage(state, cell)
        assert [measured(View(state, NOON)) for measured in others] == before
