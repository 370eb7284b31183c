"""Report of a calibration as text and as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from bellbuoy.backtest.report import reliability_lines
from bellbuoy.calibration.effect import Change, Effect
from bellbuoy.calibration.form import Points
from bellbuoy.calibration.proposal import Proposal

__all__ = ["as_data", "text_lines"]


def text_lines(proposal: Proposal, diff: Sequence[str]) -> Iterator[str]:
    """Yield a proposal as lines for a terminal: what was seen, what would change, its effect, the diff."""
    yield (
        f"{proposal.accounts:,} accounts, observed {proposal.observations:,} times; {proposal.churners:,} "
        "left within 90 days of an observation."
    )
    yield from proposal.notes
    if proposal.families:
        yield ""
        yield (
            f"Weights (the file's count as {proposal.strength:g} churners of each family; "
            "the less is seen of a family, the less its weight moves):"
        )
        width = max(len(family.name) for family in proposal.families)
        for family in proposal.families:
            yield (
                f"  {family.name:{width}}  {family.before:4.2f} → {family.after:4.2f}   shown by "
                f"{family.churners:,} who left, and in {family.calm_share:.0%} of all other observations"
            )
    for name, before, after in proposal.curves:
        yield f"  curve of {name}: {_points(before)} → {_points(after)}"
    for band, edge, new in proposal.edges:
        yield f"  band {band}: below {edge:g} → below {new:g}"
    yield ""
    yield "Expected effect on accounts that took no part in the fit:"
    yield from _effect(proposal.by_accounts)
    if proposal.by_time is not None:
        yield ""
        yield "On a later time that took no part in the fit:"
        yield from _effect(proposal.by_time)
    yield ""
    yield from diff or ["Nothing would change."]


def as_data(proposal: Proposal, diff: Sequence[str]) -> dict[str, Any]:
    """Return a proposal as plain data for JSON; what is not known is null."""
    return {
        **asdict(proposal),
        "diff": "\n".join(diff),
        "by_accounts": _effect_data(proposal.by_accounts),
        "by_time": None if proposal.by_time is None else _effect_data(proposal.by_time),
    }


def _effect_data(effect: Effect) -> dict[str, Any]:
    changes = [asdict(change) | {"sure": change.sure} for change in effect.changes]
    return asdict(effect) | {"changes": changes}


def _effect(effect: Effect) -> Iterator[str]:
    yield f"  {effect.accounts:,} accounts, {effect.churners:,} left; 95 % intervals over accounts"
    width = max(len(change.name) for change in effect.changes)
    for change in effect.changes:
        yield f"  {change.name:{width}}  {_change(change)}"
    if effect.reliability is not None:
        yield from (f"  {line}" for line in reliability_lines(effect.reliability))


def _change(change: Change) -> str:
    if not isfinite(change.after):
        return "not known"
    (low, high), (new_low, new_high) = change.before_interval, change.after_interval
    sure = "" if change.sure else "  (may be chance)" if change.least <= 0 <= change.most else "  (worse)"
    return (
        f"{change.before:.2f} ({low:.2f} to {high:.2f}) → "
        f"{change.after:.2f} ({new_low:.2f} to {new_high:.2f})   "
        f"{change.more:+.2f} ({change.least:+.2f} to {change.most:+.2f}){sure}"
    )


def _points(points: Points) -> str:
    return ", ".join(f"{value:g}" for value, _ in points)
