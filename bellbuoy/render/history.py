"""An account's past for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.query.account import Explanation
from bellbuoy.query.account import as_data as explanation_data
from bellbuoy.query.history import AccountHistory
from bellbuoy.query.score_changes import ScoreChange
from bellbuoy.render.explanation import render as render_explanation
from bellbuoy.render.formats import BAND_STYLE
from schemas.records import AccountHealth
from schemas.times import iso

__all__ = ["as_data", "render"]

_MOST_SHOWN = 10
_FEW = 4


def as_data(past: AccountHistory, health: AccountHealth, at: int, since: int | None) -> dict[str, Any]:
    """Return an account's past for programs: the explanation, the journal's bounds, and every move."""
    data = explanation_data(_explanation(past, health), at) | {
        "at": at,
        "journal_begins": past.begins,
        "journal_ends": past.ends,
        "journal_whole": past.whole,
    }
    if since is None:
        return data
    return data | {"since": since, "moves": msgspec.to_builtins(past.moves)}


def render(past: AccountHistory, health: AccountHealth, at: int, since: int | None) -> RenderableType:
    """Return an account's past for people, in 100 columns."""
    parts: list[RenderableType] = [Text(f"As it stood at {iso(at)}, from the journal:", style="dim")]
    if not past.whole:
        parts.append(
            Text(
                f"The journal begins at {iso(past.begins)}: what came before is gone from it, so this may "
                "differ from what was said then.",
                style="yellow",
            )
        )
    parts.append(render_explanation(_explanation(past, health), at, "before"))
    if since is not None:
        parts.extend(_moves(past.moves, since))
    return Group(*parts)


def _explanation(past: AccountHistory, health: AccountHealth) -> Explanation:
    return Explanation(health, past.alerts, past.history, past.kpis)


def _moves(moves: Sequence[ScoreChange], since: int) -> Iterator[RenderableType]:
    yield Text(f"\nWhat moved it since {iso(since)}:", style="bold")
    if not moves:
        yield Text("Nothing did.", style="dim")
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("When", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Change", justify="right", no_wrap=True)
    table.add_column("What came, and what it moved")
    largest = sorted(moves, key=lambda moved: (-abs(moved.change), moved.at, moved.sequence))
    for moved in largest[:_MOST_SHOWN]:
        said = Text(_some(moved.came, "; "))
        if moved.band_before != moved.band_after:
            said.append(" → ").append(
                moved.band_after.replace("_", " "), BAND_STYLE.get(moved.band_after, "")
            )
        parts = [f"{name} {points:+.2f}" for name, points in moved.parts.items()]
        said.append("\n" + _some(parts, ", "), style="dim")
        before = "new" if moved.before is None else f"{moved.before:.1f}"
        table.add_row(iso(moved.at)[:16], f"{before} → {moved.after:.1f}", f"{moved.change:+.2f}", said)
    yield table
    hidden = len(moves) - _MOST_SHOWN
    if hidden > 0:
        yield Text(f"  … and {hidden:,} smaller ones (--json has all)", style="dim")


def _some(phrases: Iterable[str], between: str) -> str:
    given = list(phrases)
    hidden = len(given) - _FEW
    return between.join(given[:_FEW]) + (f" and {hidden:,} more" if hidden > 0 else "")
