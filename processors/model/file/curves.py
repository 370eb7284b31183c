"""Curves of the model file: points, steps and grids that make a score of a measure's value."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pydantic import Field, model_validator

from processors.model.file.values import FileSpec, Name, Number, Pair, spec_error

__all__ = ["CurveSpec", "EdgeSpec", "GridSpec", "RowSpec", "StepSpec", "rising"]


class EdgeSpec(FileSpec):
    """One of several ranges, from the lowest up; the last one has neither key and is open."""

    below: Number | None = Field(None, description="The range ends before this value: [ , below).")
    up_to: Number | None = Field(None, description="The range ends with this value: [ , up_to].")

    @model_validator(mode="after")
    def _one_end(self) -> EdgeSpec:
        if self.below is not None and self.up_to is not None:
            raise spec_error(
                "below and up_to at once", "keep one: below excludes the value, up_to includes it"
            )
        return self

    @property
    def end(self) -> tuple[float, bool] | None:
        """The end of the range and whether it belongs to it; ``None``: open."""
        if self.below is not None:
            return self.below, False
        return None if self.up_to is None else (self.up_to, True)


class StepSpec(EdgeSpec):
    """A range of values and its score."""

    score: Number = Field(description="The score of every value in the range.")


class RowSpec(EdgeSpec):
    """A range of values and its score in each column."""

    scores: list[Number | None] = Field(description="A score for each column; null: not scored.")


class GridSpec(FileSpec):
    """A table: rows over the measure's own value, columns over another measure's."""

    by: Name = Field(description="The measure that chooses the column.")
    columns: list[EdgeSpec] = Field(min_length=1, description="Ranges of the other measure's value.")
    rows: list[RowSpec] = Field(min_length=1, description="Ranges of this measure's value.")

    @model_validator(mode="after")
    def _whole(self) -> GridSpec:
        rising(self.columns, "columns")
        rising(self.rows, "rows")
        for number, row in enumerate(self.rows, 1):
            if len(row.scores) != len(self.columns):
                raise spec_error(
                    f"row {number} has {len(row.scores)} scores for {len(self.columns)} columns",
                    "give every row one score a column; null is not scored",
                )
        return self


class CurveSpec(FileSpec):
    """A function from a measure's value to a score: one of points, steps or grid."""

    points: list[Pair] | None = Field(
        None,
        min_length=1,
        description="[value, score] pairs by rising value; straight lines between them. Two points make a "
        "linear curve; falling scores an inverted one.",
        examples=[[[7, 0], [30, 100]]],
    )
    outside: Number | None = Field(
        None, description="The score beyond the first and the last point; left out, the end's score holds on."
    )
    steps: list[StepSpec] | None = Field(None, min_length=1, description="Hard bands, from the lowest up.")
    grid: GridSpec | None = Field(None, description="A table over two measures.")

    @model_validator(mode="after")
    def _one_kind(self) -> CurveSpec:
        kinds = [kind for kind in ("points", "steps", "grid") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            present = " and ".join(kinds) or "none of them"
            raise spec_error(f"a curve is points, steps or grid, here {present}", "keep exactly one")
        if self.outside is not None and self.points is None:
            raise spec_error("outside without points", "leave it out: steps and grids have no outside")
        if self.points is not None and any(a[0] >= b[0] for a, b in pairwise(self.points)):
            raise spec_error("the points' values do not rise", "order the pairs by value, each value once")
        if self.steps is not None:
            rising(self.steps, "steps")
        return self


def rising(edges: list[Any], what: str) -> None:
    """Raise an error unless ranges rise from the lowest up, and the last alone is open."""
    ends = [edge.end for edge in edges]
    if ends[-1] is not None or None in ends[:-1]:
        raise spec_error(
            f"the last of the {what} must be open, and only it", "leave below and up_to out there"
        )
    if any(a >= b for a, b in pairwise(ends[:-1])):
        raise spec_error(f"the {what} do not rise", "order them from the lowest end to the highest")
