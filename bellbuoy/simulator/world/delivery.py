"""One delivery of the simulation: an event, when it is handed over, and what was planted in it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from schemas import records as r
from schemas.inputs import input_of

__all__ = ["BAD_KINDS", "Delivery", "Plant", "SimEvent", "topic_of"]

SimEvent: TypeAlias = (
    r.UsageEvent | r.SupportEvent | r.BillingEvent | r.SurveyResponse | r.EngagementEvent | r.AccountProfile
)

Plant: TypeAlias = Literal["clean", "late", "duplicate", "bad", "too_late", "from_future"]
"""``clean`` and ``late`` events count; a duplicate, bad, too late or too early one must not."""

BAD_KINDS = ("no_account", "wrong_type", "bad_time")
"""The ways in which a usage event is broken when it is sent; ``wire.segment.call`` breaks it."""


class Delivery(msgspec.Struct, frozen=True):
    """An event, handed over at ``at`` (simulated UTC milliseconds); ``bad`` names how it is broken."""

    at: int
    event: SimEvent
    plant: Plant = "clean"
    bad: str | None = None


def topic_of(event: SimEvent) -> str:
    """Return the input topic (without prefix) that carries this kind of event."""
    return input_of(event).topic
