"""The default model scores as the eleven measures in code did before it was a file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processors.model import DEFAULT, load_model
from processors.score import assess, settle
from processors.state import decode_state

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "default_model.v1.json"
ACCOUNTS: list[dict[str, Any]] = msgspec.json.decode(GOLDEN.read_bytes())


@pytest.mark.parametrize("kept", ACCOUNTS, ids=range(len(ACCOUNTS)))
def test_an_account_keeps_its_score_to_the_hundredth(kept: dict[str, Any]) -> None:
    state, now = decode_state(base64.b64decode(kept["state"])), kept["now"]

    verdict = assess(state, now, DEFAULT)

    assert (verdict.score, verdict.coverage) == (kept["score"], kept["coverage"])
    assert settle(verdict, state, now).band == kept["band"]
    assert [[m.name, m.score, m.contribution] for m in verdict.measures] == kept["measures"]
    assert [[c.name, c.limit, c.contribution, c.until, c.reason] for c in verdict.caps] == kept["caps"]
    assert list(verdict.reasons) == kept["reasons"]


def test_its_canonical_text_is_the_same_model() -> None:
    again = load_model(DEFAULT.text)
    assert again == DEFAULT
    assert (again.name, again.version) == (DEFAULT.name, DEFAULT.version)
    assert again.plan.bands == DEFAULT.plan.bands
