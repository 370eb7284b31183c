"""What a measure is: a declared function from an account at a moment to a fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from processors.measures.view import View
from processors.state.usage_parts import FEATURES, PAST, TODAY, USERS
from schemas import inputs

__all__ = [
    "BILLING",
    "ENGAGEMENT",
    "FEATURES",
    "PAST",
    "PROFILES",
    "SUPPORT",
    "SURVEYS",
    "TODAY",
    "USAGE",
    "USERS",
    "MeasureDefinition",
    "MeasureValue",
    "measure",
]

USAGE, SUPPORT, BILLING, SURVEYS, ENGAGEMENT, PROFILES = (
    each.topic
    for each in (
        inputs.USAGE, inputs.SUPPORT, inputs.BILLING, inputs.SURVEYS, inputs.ENGAGEMENT, inputs.PROFILES,
    )
)  # fmt: skip
"""The topics that a measure may name as its sources."""


class MeasureValue(msgspec.Struct, frozen=True, gc=False):
    """
    A measure's value (``None``: not known) and the sentence that says it.

    ``as_of`` is the event time (UTC milliseconds) of the newest evidence behind a value that is held
    until something newer is heard, such as a survey's answer: a model can call it stale, let it fade
    or forget it by its age. ``None`` says that the value is true of now by itself, such as a count of
    open tickets. ``until`` is when the fact ends by itself, such as the day a cancellation takes effect.
    A ``held`` fact is as it was when its source, silent for everybody, was last heard.
    """

    value: float | None
    reason: str
    as_of: int | None = None
    until: int | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class MeasureDefinition:
    """
    A measure: the function and what a reader must know of its value.

    ``sources`` are the topics that inform it; ``needs`` says what must have been seen for the value to
    be known. ``reads`` are the parts of the usage that change the fact, while no new user, feature or day
    appears.
    """

    name: str
    unit: str
    window: str
    sources: tuple[str, ...]
    needs: str
    function: Callable[[View], MeasureValue]
    reads: int

    def __call__(self, view: View) -> MeasureValue:
        """Return the fact of an account at the moment of the view."""
        return self.function(view)

    @property
    def about(self) -> str:
        """What is measured: the docstring of the function, as one line."""
        return " ".join((self.function.__doc__ or "").split())


def measure(
    name: str, *, unit: str, window: str, sources: tuple[str, ...], needs: str, reads: int | None = None
) -> Callable[[Callable[[View], MeasureValue]], MeasureDefinition]:
    """Declare the decorated function as the measure of this name; its docstring says what it measures."""
    every = TODAY | PAST | USERS | FEATURES if USAGE in sources else 0
    parts = every if reads is None else reads

    def declared(function: Callable[[View], MeasureValue]) -> MeasureDefinition:
        return MeasureDefinition(name, unit, window, sources, needs, function, parts)

    return declared
