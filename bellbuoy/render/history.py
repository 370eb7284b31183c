"""Text and tables of an account's history, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.query.history import AccountHistory, explanation_then
from bellbuoy.query.score_changes import ScoreChange
from bellbuoy.render.explanation import render_explanation
from bellbuoy.render.formats import BAND_STYLE
from schemas.records import AccountHealth
from schemas.times import iso

__all__ = ["render_history"]

_SHOWN_MOVES = 10
_SHOWN_PHRASES = 4


def render_history(past: AccountHistory, health: AccountHealth, at: int, since: int | None) -> RenderableType:
    """Return an account's history up to *at* as text and tables that fit 100 columns."""
    parts: list[RenderableType] = [Text(f"As it stood at {iso(at)}, from the journal:", style="dim")]
    if not past.whole:
        parts.append(
            Text(
                f"The journal begins at {iso(past.begins)}: older batches are gone from it, so this may "
                "differ from what was published then.",
                style="yellow",
            )
        )
    parts.append(render_explanation(explanation_then(past, health), at, "before"))
    if since is not None:
        parts.extend(_moves(past.moves, since))
    return Group(*parts)


def _moves(moves: Sequence[ScoreChange], since: int) -> Iterator[RenderableType]:
    yield Text(f"\nWhat changed the score since {iso(since)}:", style="bold")
    if not moves:
        yield Text("Nothing changed it.", style="dim")
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("When", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Change", justify="right", no_wrap=True)
    table.add_column("What came, and what it changed")
    largest = sorted(moves, key=lambda moved: (-abs(moved.change), moved.at, moved.sequence))
    for moved in largest[:_SHOWN_MOVES]:
        cell = Text(_first_phrases(moved.came, "; "))
        if moved.band_before != moved.band_after:
            cell.append(" → ").append(
                moved.band_after.replace("_", " "), BAND_STYLE.get(moved.band_after, "")
            )
        parts = [f"{name} {points:+.2f}" for name, points in moved.parts.items()]
        cell.append("\n" + _first_phrases(parts, ", "), style="dim")
        before = "new" if moved.before is None else f"{moved.before:.1f}"
        table.add_row(iso(moved.at)[:16], f"{before} → {moved.after:.1f}", f"{moved.change:+.2f}", cell)
    yield table
    hidden = len(moves) - _SHOWN_MOVES
    if hidden > 0:
        yield Text(f"  … and {hidden:,} smaller ones (--json has all)", style="dim")


def _first_phrases(phrases: Iterable[str], between: str) -> str:
    every = list(phrases)
    hidden = len(every) - _SHOWN_PHRASES
    return between.join(every[:_SHOWN_PHRASES]) + (f" and {hidden:,} more" if hidden > 0 else "")
