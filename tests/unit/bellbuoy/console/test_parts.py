"""The parts of pages that a browser asks for later: what they say, and that nothing in them is markup."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bellbuoy.console.access.access import Access
from bellbuoy.console.account import Happenings, Past
from bellbuoy.console.live import LivePictures
from bellbuoy.console.pages.account import AccountPages
from bellbuoy.console.pages.site import Site
from bellbuoy.console.trials import ModelTrial
from bellbuoy.operations.deadletters.correction import Correction
from bellbuoy.operations.deadletters.repair import Flaw
from bellbuoy.operations.rule_outcomes import OwnerResponse, RuleOutcome
from bellbuoy.query.history import AccountHistory
from bellbuoy.query.score_changes import ScoreChange
from bellbuoy.query.timeline import Timeline, TimelineEntry, UsageWeek
from bellbuoy.settings import load
from bellbuoy.times import now
from processors.model import DEFAULT
from schemas.records import DeadLetter
from schemas.times import DAY
from sinks.memory import MemorySink

EVIL = "<script>alert(1)</script>\"'"
AT = 1_764_000_000_000


@pytest.fixture
def site(tmp_path: Path) -> Site:
    sink = MemorySink()
    return Site(
        load(data=tmp_path), ("demo",), "http://127.0.0.1", Access(tmp_path), sink, LivePictures(lambda: sink)
    )


def _change(before: float | None, after: float, parts: dict[str, float]) -> ScoreChange:
    change = after - (before or 0)
    return ScoreChange(AT, 1, before, after, "watch", "critical", change, parts, [EVIL])


def test_a_timeline_has_events_and_weeks_and_marks_for_the_chart(site: Site) -> None:
    week = UsageWeek(AT, 1_234, 5, {1, 2}, Counter({EVIL: 3}))
    entries = [
        TimelineEntry(AT, "ticket", f"ticket {EVIL} opened"),
        TimelineEntry(AT, "profile", "profile"),
        TimelineEntry(AT, "alert", "an alert opened"),
    ]
    found = Happenings(Timeline(AT, False, entries, [week]))
    html = site.render("_timeline.html", found=found)
    for words in ("1,234", "3 d", "ticket", "The journal begins at"):
        assert words in html
    assert "<script" not in html
    assert found.marks.count("ticket") == 2, "a profile is no mark"
    assert '"alert"' not in found.marks, "alerts are spans"
    assert "Kafka is away" in site.render("_timeline.html", found=Happenings(None, "Kafka is away"))


def test_why_it_changed_sums_up_the_parts(site: Site) -> None:
    moves = [_change(80, 70, {"a": -12, "b": 2}), _change(70, 65, {"a": -5, "c": 3, "b": -3})]
    past = Past(AccountHistory(moves=moves))
    assert past.change == -15
    assert past.parts_changed == [("a", -17), ("c", 3), ("b", -1)]
    html = site.render("_why.html", past=past, since=AT, until=AT + 1)
    assert "80 → 65" in html
    assert "<script" not in html
    assert "Nothing changed it" in site.render("_why.html", past=Past(AccountHistory()), since=AT, until=AT)


def test_outcomes_say_what_is_not_known(site: Site) -> None:
    rules = [RuleOutcome("quiet", opened=3, useful=2, noise=1), RuleOutcome(EVIL)]
    owners = [OwnerResponse("Ann", 3, 2, 3_600_000), OwnerResponse("", 1, 0, None)]
    html = site.render("_outcomes.html", rules=rules, owners=owners, days=90)
    assert "67 %" in html
    assert "nobody" in html
    assert "<script" not in html


def test_a_dead_letter_shows_its_record_and_its_flaws(site: Site) -> None:
    letter = DeadLetter(
        id="d1", reason="invalid", detail=EVIL, pointer=None, topic="usage.events", partition=0, offset=1,
        failed_at=AT, tenant="demo", producer="app", key=None, value=b"", headers={},
    )  # fmt: skip
    correction = Correction(letter, '{"name": "</textarea><script>"}', [Flaw("/csat", EVIL, "--set")])
    html = site.render("_dead_letter.html", tenant="demo", correction=correction, token="t")
    assert "/csat" in html
    assert "<script" not in html
    assert html.count("</textarea>") == 1


def test_a_trial_says_how_far_it_is(site: Site) -> None:
    trial = ModelTrial("demo", DEFAULT, AT, "Kim", batches=50, total=200)
    assert "25 %" in site.render("_trial.html", tenant="demo", trial=trial)
    trial.trouble = "Kafka is away"
    assert "Kafka is away" in site.render("_trial.html", tenant="demo", trial=trial)
    assert not trial.running
    assert site.render("_trial.html", tenant="demo", trial=None).strip() == ""


@pytest.mark.parametrize(
    ("part", "asked"), [("then", "at={}"), ("why", "since={}"), ("why", "since=1&until={}")]
)
def test_a_time_in_the_future_is_refused(site: Site, part: str, asked: str) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "headers": [],
        "query_string": asked.format(now() + DAY).encode(),
        "path_params": {"tenant": "demo", "account_id": "a1"},
    }
    with pytest.raises(HTTPException, match="in the future: choose a time up to") as refused:
        asyncio.run(getattr(AccountPages(site), part)(Request(scope)))
    assert refused.value.status_code == 422
