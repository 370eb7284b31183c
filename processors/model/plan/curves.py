"""Curves: functions from a measure's value to a score."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor

from processors.model.file.curves import CurveSpec, EdgeSpec, GridSpec

__all__ = ["Curve", "compile_curve", "half_up", "range_index", "scores_by_path", "straight_lines"]


@dataclass(frozen=True, slots=True)
class Curve:
    """
    A compiled curve: the function ``score`` from a value to a score between ``low`` and ``high``.

    For a grid ``by`` names a second measure, and ``grid`` takes the place of ``score``: a function from both
    values to a score, ``None`` where the table has none.
    """

    score: Callable[[float], float]
    low: float
    high: float
    by: str | None = None
    grid: Callable[[float, float], float | None] | None = None


def compile_curve(spec: CurveSpec) -> Curve:
    """Return the compiled curve of a specification."""
    if spec.grid is not None:
        return _grid(spec.grid)
    if spec.steps is not None:
        find, scores = range_index(spec.steps), [step.score for step in spec.steps]
        return Curve(lambda value: scores[find(value)], min(scores), max(scores))
    points = [(x, y) for x, y in spec.points or ()]
    scores = [y for _, y in points] + ([] if spec.outside is None else [spec.outside])
    return Curve(straight_lines(points, spec.outside), min(scores), max(scores))


def scores_by_path(spec: CurveSpec) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Yield every score of a curve's specification with its path in it."""
    for index, (_, score) in enumerate(spec.points or ()):
        yield ("points", index), score
    if spec.outside is not None:
        yield ("outside",), spec.outside
    for index, step in enumerate(spec.steps or ()):
        yield ("steps", index, "score"), step.score
    for index, row in enumerate(spec.grid.rows if spec.grid is not None else ()):
        for column, cell in enumerate(row.scores):
            if cell is not None:
                yield ("grid", "rows", index, "scores", column), cell


def half_up(value: float, decimals: int) -> float:
    """
    Round half up, as people and vendors do: 70.5 becomes 71, where Python's ``round`` gives 70.

    The number is first rounded to nine decimals, so that a half is not missed by what binary fractions add.
    """
    scale = 10**decimals
    rounded: float = floor(round(value * scale, 9) + 0.5) / scale
    return rounded


def range_index(edges: Sequence[EdgeSpec]) -> Callable[[float], int]:
    """Return the function from a value to the index of its range; the last range is open."""
    ends = [end for edge in edges if (end := edge.end) is not None]
    values = [value for value, _ in ends]
    if not any(included for _, included in ends):
        return lambda value: bisect_right(values, value)
    if all(included for _, included in ends):
        return lambda value: bisect_left(values, value)
    # (value, True) sorts after (value, False): an end that belongs to its range includes the value.
    return lambda value: bisect_right(ends, (value, False))


def straight_lines(
    points: Sequence[Sequence[float]], outside: float | None = None
) -> Callable[[float], float]:
    """Return the function through points by rising value; beyond them it stays, or is ``outside``."""
    (first, low), (last, high) = points[0], points[-1]
    before, after = (low, high) if outside is None else (outside, outside)
    starts = [x for x, _ in points[:-1]]
    pieces = [(x0, y0, y1 - y0, x1 - x0) for (x0, y0), (x1, y1) in pairwise(points)]

    def score(value: float) -> float:
        if value <= first:
            return low if value == first else before
        if value >= last:
            return high if value == last else after
        x0, y0, rise, run = pieces[bisect_right(starts, value) - 1]
        return y0 + rise * (value - x0) / run

    return score


def _grid(spec: GridSpec) -> Curve:
    row, column = range_index(spec.rows), range_index(spec.columns)
    table = [row.scores for row in spec.rows]
    known = [score for scores in table for score in scores if score is not None] or [0.0]

    def score(value: float, other: float) -> float | None:
        return table[row(value)][column(other)]

    return Curve(lambda _: known[0], min(known), max(known), spec.by, score)
