"""Values of the measures in their examples, whose events go through the fold as live events do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import msgspec

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.intake.usage_rollup_rows import roll_up
from processors.measures import MEASURES, MeasureDefinition, MeasureValue
from processors.view import View
from schemas.identity.keys import account_key
from schemas.inputs import batch_lists
from schemas.records import InputEvent, JournalBatch, UsageEvent
from schemas.times import DAY

__all__ = ["example_values"]

_NOW = int(datetime(2026, 6, 17, 12, tzinfo=UTC).timestamp() * 1000)
"""Noon on a Wednesday."""

_TENANT = "demo"


def example_values() -> dict[str, MeasureValue]:
    """Return the value that each measure has for an account of which its example is all that happened."""
    events = [event for measure in MEASURES.values() for event in _events(measure)]
    usage = roll_up([msgspec.structs.asdict(event) for event in events if isinstance(event, UsageEvent)])
    others = batch_lists(event for event in events if not isinstance(event, UsageEvent))
    partition = FoldedPartition(0, Shared())
    list(partition.apply([(0, JournalBatch(sequence=0, written_at=_NOW, usage=usage, **others))]))
    return {
        name: measure(View(partition.state(account_key(_TENANT, name)), _NOW))
        for name, measure in MEASURES.items()
    }


def _events(measure: MeasureDefinition) -> Iterator[InputEvent]:
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
