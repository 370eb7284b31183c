"""Definition of a measure: its function, and what a reader must know of its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from processors.measures.example import ExampleEvents
from processors.state.usage_parts import FEATURES, PAST, TODAY, USERS
from processors.view import View
from schemas import inputs

__all__ = [
    "BILLING",
    "ENGAGEMENT",
    "PROFILES",
    "SUPPORT",
    "SURVEYS",
    "USAGE",
    "MeasureDefinition",
    "MeasureValue",
    "measure",
]

USAGE = inputs.USAGE.topic
SUPPORT = inputs.SUPPORT.topic
BILLING = inputs.BILLING.topic
SURVEYS = inputs.SURVEYS.topic
ENGAGEMENT = inputs.ENGAGEMENT.topic
PROFILES = inputs.PROFILES.topic


class MeasureValue(msgspec.Struct, frozen=True, gc=False):
    """
    Value of a measure for one account at one time (``None``: not known), and the sentence that says it.

    ``as_of`` is the event time (UTC milliseconds) of the newest evidence, for a value that holds until newer
    evidence arrives, such as a survey's answer: a model can flag it as stale, let its score fade or forget it
    by its age. ``None``: the value is true of the present by itself, such as a count of open tickets.
    ``until`` is when the value ends by itself, such as the day a cancellation takes effect. A ``held`` value
    is frozen: its source is silent for every account, and the value is the one from before the silence.
    """

    value: float | None
    reason: str
    as_of: int | None = None
    until: int | None = None
    held: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MeasureDefinition:
    """
    A measure: its function, and what a reader must know of its value.

    ``kpi`` is the question of a customer success team that it answers. ``sources`` are the topics that it is
    computed from; ``needs`` says what must have arrived for the value to be known. ``example`` are events
    that give it a value, for the documentation. ``reads`` are the parts of the usage (flags of
    ``processors.state.usage_parts``) whose change can change the value.
    """

    name: str
    kpi: str
    unit: str
    window: str
    sources: tuple[str, ...]
    needs: str
    example: tuple[ExampleEvents, ...]
    function: Callable[[View], MeasureValue]
    reads: int

    def __call__(self, view: View) -> MeasureValue:
        """Return the value of the measure for an account at the time of the view."""
        return self.function(view)

    @property
    def about(self) -> str:
        """What is measured: the docstring of the function, as one line."""
        return " ".join((self.function.__doc__ or "").split())


def measure(
    name: str,
    *,
    kpi: str,
    unit: str,
    window: str,
    sources: tuple[str, ...],
    needs: str,
    example: tuple[ExampleEvents, ...],
    reads: int | None = None,
) -> Callable[[Callable[[View], MeasureValue]], MeasureDefinition]:
    """
    Declare the decorated function as the measure of this name; its docstring says what it measures.

    Without ``reads`` every change of the usage can change a measure that has usage among its sources.
    """
    all_usage = TODAY | PAST | USERS | FEATURES if USAGE in sources else 0
    usage_parts = all_usage if reads is None else reads

    def declare(function: Callable[[View], MeasureValue]) -> MeasureDefinition:
        return MeasureDefinition(name, kpi, unit, window, sources, needs, example, function, usage_parts)

    return declare
