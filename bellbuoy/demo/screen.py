"""Screen of the demo, as pure functions: the riskiest customers, the alerts, rates and latencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bellbuoy.render.formats import BAND_STYLE, change, duration, money
from processors.measures.formats import count
from schemas.records import AccountHealth
from schemas.times import iso
from sinks.serving import Update

__all__ = ["DemoSnapshot", "alert_line", "render_screen", "snapshot_line"]

_FRAME_LINES = 11
"""The lines of the screen around the accounts and the alerts."""

_SIGNS = {
    "opened": ("▲ opened", "bold red"),
    "updated": ("● updated", "yellow"),
    "resolved": ("▼ resolved", "green"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSnapshot:
    """The demo at one time; ``now`` in UTC milliseconds, latencies in milliseconds, names by account id."""

    now: int
    live: bool
    delivered: int
    per_second: float
    p50: int | None
    p99: int | None
    names: Mapping[str, str]
    riskiest: Sequence[AccountHealth]
    alerts: Sequence[Update]
    open_alerts: int


def render_screen(snapshot: DemoSnapshot, hint: str, rows: int) -> RenderableType:
    """Return the whole screen, at most ``rows`` lines high."""
    alerts = max(3, min(len(snapshot.alerts), rows // 4))
    return Group(
        _header(snapshot),
        _accounts(snapshot.riskiest[: max(3, rows - alerts - _FRAME_LINES - len(hint.splitlines()))]),
        _alerts(snapshot, list(snapshot.alerts)[-alerts:]),
        Text(hint, style="dim", no_wrap=True, overflow="ellipsis"),
    )


def snapshot_line(snapshot: DemoSnapshot) -> str:
    """Return the snapshot in one line, for where there is no terminal."""
    worst = snapshot.riskiest[0] if snapshot.riskiest else None
    parts = [
        f"{iso(snapshot.now)[:16]}{' live' if snapshot.live else ''}",
        f"{count(snapshot.delivered, 'event')} ({snapshot.per_second:,.0f} a second)",
        f"latency p50 {_ms(snapshot.p50)} p99 {_ms(snapshot.p99)}",
        f"{count(snapshot.open_alerts, 'alert')} open",
    ]
    if worst is not None:
        why = f": {worst.reasons[0]}" if worst.reasons else ""
        parts.append(f"riskiest {worst.name or worst.account_id} {worst.score:.0f}{why}")
    return " · ".join(parts)


def alert_line(update: Update, names: Mapping[str, str]) -> str:
    """Return one alert's change in one line; ``names`` by account id."""
    sign, _ = _SIGNS.get(update.change or "", ("● alert", ""))
    who = names.get(update.account_id, update.account_id)
    return f"{iso(update.as_of)[:16]} {sign} [{update.severity}] {who}: {update.title}"


def _header(snapshot: DemoSnapshot) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 2))
    for _ in range(4):
        grid.add_column(ratio=1)
    date = Text(iso(snapshot.now)[:16].replace("T", " ") + " UTC", style="bold")
    date.append(
        "  live" if snapshot.live else "  catching up with today",
        style="green" if snapshot.live else "yellow",
    )
    grid.add_row(
        date,
        f"{count(snapshot.delivered, 'event')}, {snapshot.per_second:,.0f} a second",
        f"event to score: p50 {_ms(snapshot.p50)}, p99 {_ms(snapshot.p99)}",
        f"{count(snapshot.open_alerts, 'alert')} open",
    )
    return Panel(grid, title="Bellbuoy demo", title_align="left")


def _accounts(riskiest: Sequence[AccountHealth]) -> RenderableType:
    table = Table(title="Riskiest customers", title_justify="left", expand=True, title_style="bold")
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Today", justify="right", no_wrap=True)
    table.add_column("Band", no_wrap=True)
    table.add_column("Customer", ratio=2, no_wrap=True, overflow="ellipsis")
    table.add_column("Why", ratio=5, no_wrap=True, overflow="ellipsis")
    table.add_column("Owner", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("ARR", justify="right", no_wrap=True)
    for health in riskiest:
        style = BAND_STYLE.get(health.band, "")
        table.add_row(
            Text(f"{health.score:.0f}", style=style),
            change(health),
            Text(health.label or health.band.replace("_", " "), style=style),
            Text(health.name or health.account_id),
            Text("; ".join(health.reasons)),
            Text(health.owner or "nobody"),
            money(health.arr_minor, health.currency),
        )
    return table


def _alerts(snapshot: DemoSnapshot, alerts: Sequence[Update]) -> RenderableType:
    lines = Text(no_wrap=True, overflow="ellipsis")
    for number, update in enumerate(reversed(alerts)):
        sign, style = _SIGNS.get(update.change or "", ("● alert", ""))
        lines.append("\n" if number else "")
        lines.append(f"{iso(update.as_of)[5:16].replace('T', ' ')} ", style="dim")
        lines.append(f"{sign} ", style=style)
        lines.append(snapshot.names.get(update.account_id, update.account_id), style="bold")
        lines.append(f": {update.title or update.rule}" + (f" → {update.owner}" if update.owner else ""))
    return Panel(
        lines or Text("none yet", style="dim"),
        title=f"Alerts, {snapshot.open_alerts} open",
        title_align="left",
    )


def _ms(value: int | None) -> str:
    return "-" if value is None else duration(value)
