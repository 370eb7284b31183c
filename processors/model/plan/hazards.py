"""Hazards: the places where a model lets missing data raise a score, of which a check warns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from processors.model.file.format import BodySpec
from processors.model.plan.curves import Curve
from processors.model.plan.ranges import of_measure
from schemas.checked_files.reader import Path

__all__ = ["hazards"]

_RAISES = "missing data can raise the score"


def hazards(body: BodySpec, curves: Mapping[str, Curve]) -> Iterator[tuple[Path, str, str]]:
    """
    Yield the path, the hazard and the remedy of everything by which missing data can improve a band.

    They are allowed, because other tools work so. A model without hazards keeps the promise that removing an
    input never improves a band.
    """
    combiners: list[tuple[Path, str | None]] = [(("score", "missing"), body.score.missing)]
    combiners += [(("groups", name, "missing"), group.missing) for name, group in body.groups.items()]
    for path, missing in combiners:
        if missing == "ignore":
            yield path, _RAISES, "use `missing: zero` to rule it out"
    for name, spec in body.measures.items():
        if spec.informs:
            continue
        worst, _ = of_measure(spec, curves[name])
        unknown = spec.if_unknown or 0.0
        if unknown > worst:
            message = f"{_RAISES}: not known it counts {unknown:g}, at its worst {worst:g}"
            yield ("measures", name), message, f"add `if_unknown: {worst:g}` to rule it out"
    for name, cap in body.caps.items():
        if cap.if_unknown == "lift":
            yield ("caps", name, "if_unknown"), "missing data lifts the cap", "leave it out to rule that out"
        if cap.when is not None and re.search(r"\bhas\s*\(\s*(?!account\.)", cap.when):
            yield ("caps", name, "when"), "missing data lifts the cap", "ask without has() to rule that out"
