"""What moved a score: the difference between two health records, and what came in between in words."""

from __future__ import annotations

from dataclasses import dataclass

from bellbuoy.query.batch_summary import batch_summary
from schemas.records import AccountHealth, JournalBatch

__all__ = ["ScoreChange", "score_change"]


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """
    One batch that changed what an account's score is made of.

    ``before`` and ``band_before`` are ``None`` where the account was new. ``parts`` maps measures,
    adjustments and caps to the points that each brought or took; they sum to ``change``.
    """

    at: int
    sequence: int
    before: float | None
    after: float
    band_before: str | None
    band_after: str
    change: float
    parts: dict[str, float]
    came: list[str]


def score_change(before: AccountHealth | None, after: AccountHealth, batch: JournalBatch) -> ScoreChange:
    """Return how a batch moved an account, the largest part first."""
    old, new = {} if before is None else _parts(before), _parts(after)
    changed = {name: new.get(name, 0) - old.get(name, 0) for name in (*new, *old)}
    parts = sorted(((name, points) for name, points in changed.items() if points), key=_size)
    was = 0 if before is None else _hundredths(before.score)
    return ScoreChange(
        at=after.as_of,
        sequence=after.sequence,
        before=None if before is None else before.score,
        after=after.score,
        band_before=None if before is None else before.band,
        band_after=after.band,
        change=(_hundredths(after.score) - was) / 100,
        parts={name: points / 100 for name, points in parts},
        came=_came(before, after, batch),
    )


def _size(part: tuple[str, int]) -> int:
    return -abs(part[1])


def _parts(health: AccountHealth) -> dict[str, int]:
    """Return what each part brings, in whole hundredths of a point, in which they sum exactly."""
    parts = {measure.name: _hundredths(measure.contribution) for measure in health.measures}
    for adjustment in health.adjustments:
        parts[f"adjustment {adjustment.name}"] = _hundredths(adjustment.contribution)
    for cap in health.caps:
        parts[f"cap {cap.name}"] = _hundredths(cap.contribution)
    return parts


def _hundredths(points: float) -> int:
    return round(points * 100)


def _came(before: AccountHealth | None, after: AccountHealth, batch: JournalBatch) -> list[str]:
    said = batch_summary(batch)
    if before is not None and (before.model, before.model_version) != (after.model, after.model_version):
        said.append(
            f"model {after.model} {after.model_version} in place of {before.model} {before.model_version}"
        )
    elif before is not None and before.variant != after.variant:
        said.append(f"variant {after.variant or 'none'} of the model in place of {before.variant or 'none'}")
    if before is not None and before.silent_sources != after.silent_sources:
        held = ", ".join(after.silent_sources) or "none"
        said.append(f"sources held as silent: {held}")
    return said or ["time passed"]
