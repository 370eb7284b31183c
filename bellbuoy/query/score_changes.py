"""Change of a score: the difference between two health records, and the events between them in words."""

from __future__ import annotations

from dataclasses import dataclass

from bellbuoy.query.batch_summary import batch_summary
from schemas.records import AccountHealth, JournalBatch

__all__ = ["ScoreChange", "score_change"]


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """
    A journal batch that changed an account's score, or the parts of it.

    ``before`` and ``band_before`` are ``None`` where the account was new. ``parts`` maps measures,
    adjustments and caps to the points that each added or took; they sum to ``change``. ``came`` lists in
    words what the batch brought.
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
    """Return how a batch changed an account's score, with the largest part first."""
    old, new = {} if before is None else _parts(before), _parts(after)
    changed = {name: new.get(name, 0) - old.get(name, 0) for name in (*new, *old)}
    parts = sorted(((name, points) for name, points in changed.items() if points), key=_largest_first)
    points_before = 0 if before is None else _hundredths(before.score)
    return ScoreChange(
        at=after.as_of,
        sequence=after.sequence,
        before=None if before is None else before.score,
        after=after.score,
        band_before=None if before is None else before.band,
        band_after=after.band,
        change=(_hundredths(after.score) - points_before) / 100,
        parts={name: points / 100 for name, points in parts},
        came=_causes(before, after, batch),
    )


def _largest_first(part: tuple[str, int]) -> int:
    return -abs(part[1])


def _parts(health: AccountHealth) -> dict[str, int]:
    """Return the points of each part in whole hundredths, in which they sum exactly."""
    parts = {measure.name: _hundredths(measure.contribution) for measure in health.measures}
    for adjustment in health.adjustments:
        parts[f"adjustment {adjustment.name}"] = _hundredths(adjustment.contribution)
    for cap in health.caps:
        parts[f"cap {cap.name}"] = _hundredths(cap.contribution)
    return parts


def _hundredths(points: float) -> int:
    return round(points * 100)


def _causes(before: AccountHealth | None, after: AccountHealth, batch: JournalBatch) -> list[str]:
    causes = batch_summary(batch)
    if before is not None and (before.model, before.model_version) != (after.model, after.model_version):
        causes.append(
            f"model {after.model} {after.model_version} in place of {before.model} {before.model_version}"
        )
    elif before is not None and before.variant != after.variant:
        causes.append(
            f"variant {after.variant or 'none'} of the model in place of {before.variant or 'none'}"
        )
    if before is not None and before.silent_sources != after.silent_sources:
        silent = ", ".join(after.silent_sources) or "none"
        causes.append(f"silent sources: {silent}")
    return causes or ["time passed"]
