"""The check that the numbers of a record are finite: JSON and most databases hold no others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from schemas.records import AccountHealth, AccountKpis, Measure, RiskAlert
from sinks.port import Output

__all__ = ["not_finite"]


def not_finite(record: Output) -> str | None:
    """Return which numbers of a record are not finite, in words; ``None`` when all are."""
    if isinstance(record, AccountHealth):
        numbers = record.score + record.coverage + _sum(record.measures)
        numbers += sum(c.contribution + c.limit for c in record.caps)
        words = "a score, coverage, weight or contribution"
    elif isinstance(record, AccountKpis):
        numbers, words = _sum(record.measures), "a weight or contribution"
    elif isinstance(record, RiskAlert):
        numbers, words = record.score, "the score"
    else:
        numbers, words = sum(alert.score for alert in record.alerts), "the score of an alert"
    return None if math.isfinite(numbers) else f"{words} is not a finite number"


def _sum(measures: Sequence[Measure]) -> float:
    return sum(measure.contribution + measure.weight for measure in measures)
