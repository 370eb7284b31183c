"""
Measures: numbers computed from what is known of an account at one time, each with a sentence that says it.

A measure is a function of a view (an account's state at a journal time), declared once with its unit, window,
sources and an example. The value ``None`` means "not known", never "fine": the score counts it as no points,
and the coverage falls.
"""

from __future__ import annotations

from processors.measures import (
    account,
    baseline,
    billing,
    contact,
    decline,
    habits,
    limiting,
    onboarding,
    people,
    performance,
    revenue,
    seats,
    support,
    surveys,
    usage,
    value,
    voice,
)
from processors.measures.definition import USAGE, MeasureDefinition, MeasureValue

__all__ = [
    "MEASURES",
    "USAGE",
    "MeasureDefinition",
    "MeasureValue",
]

_SUBJECTS = (
    usage, habits, baseline, decline, seats, performance, support, billing, revenue, surveys, contact, people,
    onboarding, value, voice, limiting, account,
)  # fmt: skip

MEASURES: dict[str, MeasureDefinition] = {
    definition.name: definition
    for subject in _SUBJECTS
    for definition in vars(subject).values()
    if isinstance(definition, MeasureDefinition)
}
"""Every measure that a model may weigh, by name."""
