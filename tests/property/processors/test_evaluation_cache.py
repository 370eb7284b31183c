"""What is remembered of an account changes nothing of what is said and stored, only how long that takes."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.fold.models_in_force import Models
from processors.fold.outcome import Outcome
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.measures import MEASURES, USAGE
from processors.model import DEFAULT, Model, load_model
from processors.observe import observe_usage
from processors.rules import load_rules
from processors.state.encoding import decode_state
from processors.view import View
from schemas.records import FeedReport, JournalBatch, UsageEvent
from schemas.times import DAY
from tests.support.generators import NOW, OWN, batch, batchings, histories
from tests.support.reference_fold import reference_fold

NOON = NOW // DAY * DAY + DAY // 2
NAMES = [*MEASURES, *(f"own.{name}" for name in OWN)]
EVERYTHING = load_model(
    json.dumps(
        {
            "model": "everything",
            "version": 1,
            "own": OWN,
            "measures": {name: {"curve": {"points": [[0, 0], [50, 100]]}} for name in NAMES},
            "caps": {name: {"measure": name, "at_least": 20, "limit": 70} for name in NAMES},
            "bands": [{"band": "critical", "below": 40}, {"band": "healthy"}],
            "variants": {
                "old": {"priority": 1, "when": "account.tenure_days > 40", "score": {"max": 90}},
                "flagged": {"priority": 2, "when": "own.f && own.c > 1.0", "score": {"max": 80}},
            },
        }
    )
)
"""A model that asks every measure."""


EVERY_RULE = load_rules(
    json.dumps(
        {
            "ruleset": "everything",
            "version": 1,
            "own": OWN,
            "rules": {
                f"r{number}": {
                    "title": f"{{{name}}}",
                    "tiers": [
                        {"severity": "critical", "when": f"{name} > 40.0", "for": "1h"},
                        {"severity": "warning", "when": f"{name} > 2.0"},
                    ],
                    "keep_firing": "2h",
                }
                for number, name in enumerate(NAMES)
                if name != "own.f"
            }
            | {
                "person": {"title": "x", "about": "person", "when": "person.silent_days > 1"},
                "changes": {"title": "x", "when": "change_7d.usage.breadth > 0.1 || health.band_days > 2"},
                "band": {"title": "x", "when": 'health.band == "critical"', "one_of": "x", "cooldown": "3h"},
                "cause": {"title": "x", "when": "has(health.cause)", "one_of": "x", "opens_if": "own.f"},
            },
        }
    )
)
"""Rules that ask every measure, and persons, changes and the health."""


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
        reports = draw(st.lists(lost_days(now // DAY), max_size=1))
        reports += draw(st.sampled_from(([], contact_lost(now // DAY))))
        batches.append(replace(batch(number, now, happened), feed_reports=reports))
    return batches


@st.composite
def lost_days(draw: st.DrawFn, today: int) -> FeedReport:
    """Report that makes a day of the last weeks one on which the tenant's usage didn't come."""
    return FeedReport(
        event_id="r", tenant="acme", account_id="*", source="bellbuoy", occurred_at=0, received_at=0,
        topic="usage.events", day=today - draw(st.sampled_from((1, 2, 8, 30))),
        expected=10, short=10, newly_short=10,
    )  # fmt: skip


def contact_lost(today: int) -> list[FeedReport]:
    """Return reports that make the last five days some on which the tenant's engagement didn't come."""
    return [
        FeedReport(
            event_id=f"c{day}", tenant="acme", account_id="*", source="bellbuoy", occurred_at=0,
            received_at=0, topic="engagement.events", day=day, expected=10, newly_short=0,
            short=10 if day >= today - 5 else 5,
        )
        for day in range(today - 33, today)
    ]  # fmt: skip


def published(outcomes: Iterable[Outcome]) -> list[object]:
    return [(one.states, one.health, one.kpis, one.alerts) for one in outcomes]


@pytest.mark.parametrize("model", [EVERYTHING, DEFAULT], ids=["everything", "default"])
@given(batches=days())
def test_caches_change_no_byte(model: Model, batches: list[JournalBatch]) -> None:
    folded = FoldedPartition(0, Shared(Models(model, rules=EVERY_RULE)))
    cached = [outcome for batch in enumerate(batches) for outcome in folded.apply([batch])]
    _, plain = reference_fold(batches, Shared(Models(model, rules=EVERY_RULE)))
    assert published(cached) == published(plain)


@given(st.data())
def test_usage_changes_no_measure_that_does_not_name_it(data: st.DataObject) -> None:
    """What a measure declares as its sources is what it reads."""
    batches = [replace(one, written_at=NOON) for one in data.draw(batchings(data.draw(histories(30))))]
    states, _ = reference_fold(batches, Shared(Models(EVERYTHING, rules=EVERY_RULE)))
    more = batch(0, NOON, data.draw(visits(NOON))).usage
    others = [measured for measured in MEASURES.values() if USAGE not in measured.sources]
    for raw in states.values():
        state = decode_state(raw)
        before = [measured(View(state, NOON)) for measured in others]
        for cell in more:
            observe_usage(state, cell)
        assert [measured(View(state, NOON)) for measured in others] == before
