"""Bands of any number and name: what is published of them, and what alerts make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.measures import MeasureValue
from processors.model import load_model
from processors.scoring.score import Verdict, settle, weigh
from processors.state.account import State
from processors.view import View
from schemas.records import AccountProfile, ModelChange, UsageEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.account_story import AccountStory
from tests.support.generators import NOW

GRADES = (Path(__file__).parents[3] / "docs" / "models" / "grades.yaml").read_text()
MODEL = load_model(GRADES)
BANDS = MODEL.plan.bands


def verdict(score: int, *, judged: bool = True) -> Verdict:
    view = View(State(), NOW)
    return weigh(MODEL.plan, [MeasureValue(None, "") for _ in MODEL.plan.reads], view)._replace(
        score=score, judged=judged
    )


@pytest.mark.parametrize(
    ("frequency", "tickets", "relationship", "score", "grade", "band"),
    [
        # 40 % of 100 + 35 % of 90 + 25 % of 100
        (5, 2, 5, 96.5, "A", "healthy"),
        # 40 % of 80 + 35 % of 100 + 25 % of 75
        (4, 0, 4, 85.75, "B", "healthy"),
        # 40 % of 80 + 35 % of 75 + 25 % of 75
        (4, 5, 4, 77.0, "C", "watch"),
        # 40 % of 60 + 35 % of 75 + 25 % of 75
        (3, 5, 4, 69.0, "D", "at_risk"),
        # 40 % of 40 + 35 % of 50 + 25 % of 50
        (2, 10, 3, 46.0, "F", "critical"),
    ],
)
def test_five_grades_by_hand(
    frequency: float, tickets: float, relationship: float, score: float, grade: str, band: str
) -> None:
    facts = {
        "usage.frequency": frequency,
        "support.open": tickets,
        "own.executive_relationship": relationship,
    }
    found = weigh(
        MODEL.plan, [MeasureValue(facts[read.name], "") for read in MODEL.plan.reads], View(State(), NOW)
    )
    settled = settle(found, State(), NOW).band
    assert found.score / 100 == pytest.approx(score)
    assert (BANDS.label(settled), BANDS.severity(settled)) == (grade, band)


@pytest.mark.parametrize(
    ("before", "score", "after"),
    [
        ("b", 9_100, "b"),  # an A from 92 on only: the margin holds between bands of one severity too
        ("b", 9_200, "a"),
        ("a", 8_999, "b"),
        ("f", 9_900, "a"),
        ("unknown", 9_000, "a"),
        ("healthy", 6_500, "d"),  # the band of another model
        ("gone", 6_500, "d"),
    ],
)
def test_hysteresis_goes_by_the_models_own_bands(before: str, score: int, after: str) -> None:
    assert settle(verdict(score), State(band=before), NOW).band == after
    assert settle(verdict(score, judged=False), State(band=before), NOW).band == "unknown"


def test_a_band_of_another_model_does_not_wait() -> None:
    slow = load_model(GRADES.replace("margin: 2", "margin: 2, better_for: 12h, worse_for: 12h"))
    found = verdict(6_500)._replace(plan=slow.plan)
    assert settle(found, State(band="gone"), NOW).band == "d"
    assert settle(found, State(band="b"), NOW).pending == "d"
    assert settle(found, State(band="healthy"), NOW).pending == "d"
    assert settle(found, State(band="b", pending_band="gone", pending_since=1), NOW).pending_since == NOW


def test_a_band_without_a_label_is_called_by_its_name() -> None:
    bands = load_model(GRADES.replace("band: f, label: F", "band: very_poor")).plan.bands
    assert (bands.label("very_poor"), bands.label("healthy"), bands.label("a")) == ("very poor", "", "A")


def test_the_band_is_published_by_its_severity_and_alerts_go_by_it() -> None:
    story = AccountStory(NOW)
    change = ModelChange(
        event_id="m", tenant="acme", account_id="*", source="t", occurred_at=NOW, received_at=NOW,
        author="kim", text=GRADES,
    )  # fmt: skip
    story.at(NOW, models=[change])
    pulse = {"own": {"executive_relationship": 5.0}}
    for day in range(20):
        usage = story.event(UsageEvent, user_id="u", name="did", at=story.now)
        story.after(DAY, usage, *([story.event(AccountProfile, **pulse)] if day == 0 else []))
    assert (story.health.band, story.health.label) == ("healthy", "A")
    assert story.partition.states
    story.at(story.now + MINUTE, story.event(AccountProfile, own={"executive_relationship": 1.0}))
    assert (story.health.score, story.health.band, story.health.label) == (75, "watch", "C")
    alerts = [alert for _ in range(9 * 4) for alert in story.after(6 * HOUR)]
    health = [alert for alert in alerts if alert.rule == "health"]
    assert (story.health.band, story.health.label) == ("critical", "F")
    assert [(alert.severity, alert.band) for alert in health] == [("critical", "critical")]
    story.after(HOUR)
