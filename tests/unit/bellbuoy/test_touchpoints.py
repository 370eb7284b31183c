"""Touchpoints: one that the journal would refuse is refused before it is written."""

from __future__ import annotations

from typing import Any

import pytest

from bellbuoy.operations.acts.touchpoints import TOUCHPOINTS, TouchpointError, write_touchpoint
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.intake.admission import HORIZON_DAYS, MAX_TEXT
from schemas.codec.registry import committed
from schemas.times import DAY


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("champion_left", {}),
        ("meeting", {"about": "  "}),
        ("meeting", {"about": "x" * (MAX_TEXT - len("Kim") - 2)}),
        ("meeting", {"at": now() + DAY}),
        ("meeting", {"at": now() - (HORIZON_DAYS + 1) * DAY}),
    ],
)
def test_a_touchpoint_that_makes_no_sense_is_refused(kind: str, said: dict[str, Any]) -> None:
    with pytest.raises(TouchpointError):
        write_touchpoint(Settings(), "demo", "acme", kind, author="Kim", **({"about": "Renewal"} | said))


def test_every_kind_is_one_that_the_input_has() -> None:
    kind = next(
        one for one in committed().readers["engagement.events-value"]["fields"] if one["name"] == "kind"
    )
    assert TOUCHPOINTS.keys() <= set(kind["type"]["symbols"])
