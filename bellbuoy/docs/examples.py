"""Values of the measures' examples: the example's events go through the fold as live events do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from processors.fold.fold import Fold
from processors.fold.shared import Shared
from processors.intake.usage_rollup_rows import roll_up
from processors.measures import MEASURES, MeasureDefinition, MeasureValue, View
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas import records as r
from schemas.identity.keys import account_key
from schemas.times import DAY

__all__ = ["example_values"]

_NOW = int(datetime(2026, 6, 17, 12, tzinfo=UTC).timestamp() * 1000)
"""Noon on a Wednesday."""

_TENANT = "demo"
_FIELDS: dict[type, str] = {
    r.SupportEvent: "support",
    r.BillingEvent: "billing",
    r.SurveyResponse: "surveys",
    r.EngagementEvent: "engagement",
    r.AccountProfile: "profiles",
}


def example_values() -> dict[str, MeasureValue]:
    """Return the value that each measure has for an account of which its example is all that happened."""
    usage: list[dict[str, Any]] = []
    others: dict[str, Any] = {name: [] for name in _FIELDS.values()}
    for measure in MEASURES.values():
        for event in _events(measure):
            if isinstance(event, r.UsageEvent):
                usage.append(msgspec.structs.asdict(event))
            else:
                others[_FIELDS[type(event)]].append(event)
    fold = Fold({}, Position(), partition=0, shared=Shared())
    fold.add(r.JournalBatch(sequence=0, written_at=_NOW, usage=roll_up(usage), **others), 0, ())
    states = fold.outcome().states
    return {
        name: measure(View(decode_state(states[account_key(_TENANT, name)]), _NOW))
        for name, measure in MEASURES.items()
    }


def _events(measure: MeasureDefinition) -> Iterator[Any]:
    """Yield the events of a measure's example, on an account named after the measure."""
    numbers = count()
    for events in measure.example:
        times = {
            name: _NOW + round(days * DAY) for name, days in events.fields.items() if name.endswith("_at")
        }
        for age in events.ages:
            at = _NOW - round(age * DAY)
            yield events.type(
                event_id=f"{measure.name}-{next(numbers)}",
                tenant=_TENANT,
                account_id=measure.name,
                source="example",
                occurred_at=at,
                received_at=at,
                **{**events.fields, **times},
            )
