"""Table of the overrides in force."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from bellbuoy.operations.acts.overrides import OverrideInForce
from schemas.times import iso

__all__ = ["render_overrides"]


def render_overrides(overrides: Sequence[OverrideInForce]) -> Table:
    """Return the overrides as a table, in their order."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Customer", "Target", "Value", "By", "Since", "Until"):
        table.add_column(name, justify="right" if name == "Value" else "left")
    table.add_column("Why", ratio=1)
    for one in overrides:
        override = one.override
        why = Text(override.reason)
        if not one.known:
            why.append("\nnothing else is known of this account: it has no score yet", style="yellow")
        table.add_row(
            Text(one.account_id),
            one.target,
            f"{override.value:g}",
            Text(override.author),
            iso(override.at[0])[:10],
            "withdrawn" if override.until is None else iso(override.until)[:10],
            why,
        )
    return table
