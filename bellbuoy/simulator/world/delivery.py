"""A delivery of the simulation: an event, the time of its delivery, and the disorder put into it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from schemas import records as r
from schemas.inputs import input_of

__all__ = ["BAD_KINDS", "Delivery", "DeliveryKind", "SimEvent", "topic_of"]

SimEvent: TypeAlias = (
    r.UsageEvent | r.SupportEvent | r.BillingEvent | r.SurveyResponse | r.EngagementEvent | r.AccountProfile
)

DeliveryKind: TypeAlias = Literal["clean", "late", "duplicate", "bad", "too_late", "from_future"]
"""``clean`` and ``late`` events must count; duplicate, bad, too late and too early ones must not."""

BAD_KINDS = ("no_account", "wrong_type", "bad_time")
"""The ways in which a usage event is broken when it is sent; ``wire.segment.call`` breaks it."""


class Delivery(msgspec.Struct, frozen=True):
    """An event, delivered at ``at`` (simulated UTC milliseconds); ``bad`` names how it is broken."""

    at: int
    event: SimEvent
    kind: DeliveryKind = "clean"
    bad: str | None = None


def topic_of(event: SimEvent) -> str:
    """Return the input topic (without prefix) that carries this kind of event."""
    return input_of(event).topic
