"""Example of a measure: the events, by their age, that give the line of real output in the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from schemas.records import InputEvent

__all__ = ["ExampleEvents", "ago"]


class ExampleEvents(NamedTuple):
    """Equal events of one type, one at each of these ages in days."""

    type: type[InputEvent]
    ages: tuple[float, ...]
    fields: Mapping[str, Any]


def ago(days: float | Iterable[float], event: type[InputEvent], **fields: Any) -> ExampleEvents:
    """
    Declare one event that happened so many days ago, or one for each of several ages.

    A field that is a time (its name ends in ``_at``) is given in days from now, negative for the past. What
    every event carries, such as its id and account, is left out.
    """
    ages = (days,) if isinstance(days, int | float) else tuple(days)
    return ExampleEvents(event, ages, fields)
