"""
The measures: what is known of an account, as facts at one moment.

Each is a function of a view, the state at a moment (journal time, UTC milliseconds), declared once with
its unit, window and sources. ``None`` says "not known", never "fine": the score counts it as no points and
the coverage falls.
"""

from __future__ import annotations

from processors.measures import (
    account,
    baseline,
    billing,
    contact,
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
from processors.measures.measured import FEATURES, PAST, TODAY, USAGE, USERS, MeasureDefinition, MeasureValue
from processors.measures.queries import (
    days_silent,
    failing_invoices,
    overdue_days,
)
from processors.measures.view import View

__all__ = [
    "FEATURES",
    "MEASURES",
    "PAST",
    "TODAY",
    "USAGE",
    "USERS",
    "MeasureDefinition",
    "MeasureValue",
    "View",
    "days_silent",
    "failing_invoices",
    "overdue_days",
]

_SUBJECTS = (
    usage, habits, baseline, seats, performance, support, billing, revenue, surveys, contact, people,
    onboarding, value, voice, limiting, account,
)  # fmt: skip

MEASURES: dict[str, MeasureDefinition] = {
    measured.name: measured
    for subject in _SUBJECTS
    for measured in vars(subject).values()
    if isinstance(measured, MeasureDefinition)
}
"""Every measure a model may weigh, by name."""
