"""
The default model: its first version scores as the eleven measures in code did, and so does its second.

What the second version adds informs, or is a cap that holds the score down while a bad sign is known.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processors.measures import MEASURES, View
from processors.model import DEFAULT, load_model
from processors.scoring.score import assess, inform, settle, weigh
from processors.state.account import State
from processors.state.encoding import decode_state

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "default_model.v1.json"
FIRST = load_model(GOLDEN.with_suffix(".yaml").read_text())
ACCOUNTS: list[dict[str, Any]] = msgspec.json.decode(GOLDEN.read_bytes())
NEW_CAPS = {"sponsor_gone", "onboarding_stalled", "detractors", "escalated"}


@pytest.mark.parametrize("kept", ACCOUNTS, ids=range(len(ACCOUNTS)))
def test_an_account_keeps_its_score_to_the_hundredth(kept: dict[str, Any]) -> None:
    state, now = decode_state(base64.b64decode(kept["state"])), kept["now"]

    verdict = assess(state, now, FIRST)

    assert (verdict.score, verdict.coverage) == (kept["score"], kept["coverage"])
    assert settle(verdict, state, now).band == kept["band"]
    assert [[m.name, m.score, m.contribution] for m in verdict.measures] == kept["measures"]
    assert [[c.name, c.limit, c.contribution, c.until, c.reason] for c in verdict.caps] == kept["caps"]
    assert list(verdict.reasons) == kept["reasons"]


@pytest.mark.parametrize("kept", ACCOUNTS, ids=range(len(ACCOUNTS)))
def test_what_informs_moves_no_score(kept: dict[str, Any]) -> None:
    state, now = decode_state(base64.b64decode(kept["state"])), kept["now"]

    verdict, view = assess(state, now, DEFAULT), View(state, now)
    informing, _ = inform(verdict.plan, [read(view) for read in verdict.plan.shows], now)

    assert [[m.name, m.score, m.contribution] for m in verdict.measures] == kept["measures"]
    assert all((m.weight, m.contribution) == (0, 0) and m.value is not None for m in informing)
    assert verdict.coverage == kept["coverage"]
    limits = [cap.limit for cap in verdict.caps if cap.name in NEW_CAPS]
    assert verdict.score == min([kept["score"], *(round(limit * 100) for limit in limits)])
    if not limits:
        assert list(verdict.reasons) == kept["reasons"]
        assert settle(verdict, state, now).band == kept["band"]


def test_every_measure_is_part_of_it() -> None:
    plan = DEFAULT.plan
    shown = {term.name for term in (*plan.terms, *plan.informs)}
    assert {read.name for read in plan.shows} == {term.name for term in plan.informs}
    holding = {read.name for read in plan.reads} - shown
    assert shown | holding == set(MEASURES)
    assert {plan.reads[cap.at].name for cap in plan.caps} >= holding


def test_usage_billing_and_support_are_enough_for_a_band() -> None:
    """Without goals, surveys, milestones or people everything that counts can still be known."""
    silent = ("surveys.", "engagement.", "onboarding.", "value.", "voice.")
    view = View(State(tenant="acme", account_id="a"), 0)
    facts = [
        read(view) if read.name.startswith(silent) else msgspec.structs.replace(read(view), value=0.5)
        for read in DEFAULT.plan.reads
    ]

    verdict = weigh(DEFAULT.plan, facts, view)

    assert (verdict.coverage, verdict.judged) == (1.0, True)


def test_its_canonical_text_is_the_same_model() -> None:
    again = load_model(DEFAULT.text)
    assert again == DEFAULT
    assert (again.name, again.version) == (DEFAULT.name, DEFAULT.version)
    assert again.plan.bands == DEFAULT.plan.bands
