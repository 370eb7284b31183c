"""Text and JSON about measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from processors.measures import MeasureDefinition

__all__ = ["about", "as_data", "as_lines"]


def as_data(measures: Iterable[MeasureDefinition]) -> list[dict[str, object]]:
    """Return the measures for programs."""
    return [
        {
            "name": measure.name,
            "kpi": measure.kpi,
            "about": measure.about,
            "unit": measure.unit,
            "window": measure.window,
            "sources": list(measure.sources),
            "needs": measure.needs,
        }
        for measure in measures
    ]


def as_lines(measures: Iterable[MeasureDefinition]) -> Iterator[str]:
    """Yield the measures for a terminal."""
    for measure in measures:
        yield f"{measure.name}  ({measure.unit}; {measure.window})"
        yield f"    {about(measure)}"
        yield f"    for {measure.kpi}; from {', '.join(measure.sources)}; needs {measure.needs}"


def about(measure: MeasureDefinition) -> str:
    """Return what a measure measures, as a thing rather than an order."""
    text = measure.about.removeprefix("Return ").replace("``", "`")
    return text[:1].upper() + text[1:]
