"""Table of open alerts: what each says, of whom, since when, and who has it."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from bellbuoy.render.explanation import who_has_it
from bellbuoy.render.formats import duration
from schemas.records import RiskAlert

__all__ = ["render_alerts"]

_STYLE = {"critical": "bold red", "warning": "yellow"}


def render_alerts(alerts: Sequence[RiskAlert], now: int) -> Table:
    """Return the alerts as a table, in their order; *now* is in UTC milliseconds."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Severity", "Customer", "Owner", "Open for"):
        table.add_column(name)
    table.add_column("Alert", ratio=1)
    for alert in alerts:
        words = Text(alert.title, style="bold")
        words.append(f"\n{'; '.join(alert.reasons)}" if alert.reasons else "", style="not bold")
        words.append(f"\ndo: {alert.action}" if alert.action else "", style="not bold")
        if alert.acknowledged_by:
            words.append(f"\n{who_has_it(alert, now)}", style="green not bold")
        words.append(f"\n{alert.alert_id}", style="dim not bold")
        table.add_row(
            Text(alert.severity, style=_STYLE.get(alert.severity, "")),
            Text(f"{alert.name or ''}\n{alert.account_id}".strip()),
            Text(alert.owner or "nobody"),
            duration(max(0, now - alert.opened_at)),
            words,
        )
    return table
