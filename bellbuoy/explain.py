"""`bellbuoy explain`: why a customer's score is what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.demo.words import BAND_STYLE, change, duration, money, number
from bellbuoy.simulator.wire_segment import iso
from processors.measures import MEASURES
from schemas.records import AccountHealth, Adjustment, Cap, Measure, RiskAlert
from sinks.reading import HistoryEntry
from sinks.redis_reader import RedisReader
from sinks.settings import RedisSettings

__all__ = ["Explanation", "as_data", "breakdown", "informing", "look_up", "render"]

_HISTORY = 40

_NARROW = ("Known beside it", "Value")
_BARS = "▁▂▃▄▅▆▇█"


class Explanation(msgspec.Struct, frozen=True):
    """An account's newest health, its open alerts, and its latest scores, newest first."""

    health: AccountHealth
    alerts: list[RiskAlert]
    history: list[HistoryEntry]


def look_up(settings: RedisSettings, tenant: str, account_id: str) -> tuple[Explanation | None, list[str]]:
    """Return what Redis has of an account, or ``None`` and the nearest ids; raise RedisError."""
    reader = RedisReader(settings)
    try:
        health = reader.account(tenant, account_id)
        if health is None:
            return None, reader.find(tenant, account_id)
        found = [alert for alert_id in health.open_alerts if (alert := reader.alert(alert_id)) is not None]
        return Explanation(health, found, reader.history(tenant, account_id, _HISTORY)), []
    finally:
        reader.close()


def as_data(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation for programs: the health record's fields, then ``alerts`` and ``history``."""
    data: dict[str, Any] = msgspec.to_builtins(explanation)
    health: dict[str, Any] = data.pop("health")
    return health | data


def render(explanation: Explanation, now: int) -> RenderableType:
    """Return the explanation for people; ``now`` is UTC milliseconds."""
    health = explanation.health
    parts: list[RenderableType] = [
        _title(health),
        _facts(health, explanation.history, now),
        breakdown(health.measures, health.adjustments, health.caps),
        *informing(health.measures),
    ]
    if health.reasons:
        parts.append(Text("Costliest: " + "; ".join(health.reasons)))
    parts.extend(_alerts(explanation.alerts, health, now))
    return Group(*parts)


def _title(health: AccountHealth) -> Text:
    style = BAND_STYLE.get(health.band, "")
    title = Text(f"{health.name or health.account_id}", style="bold")
    title.append(f"  {health.tenant}:{health.account_id}\n", style="dim")
    band = health.label or health.band.replace("_", " ")
    title.append(f"{health.score:.1f} of 100, {band}", style=style)
    if health.scale != 100:
        title.append(f", {health.score * health.scale / 100:g} of {health.scale:g} as the model counts")
    return title


def _facts(health: AccountHealth, history: Sequence[HistoryEntry], now: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_row("trend", f"{_trend(health)}  {_bars(history)}".rstrip())
    grid.add_row("coverage", f"{health.coverage:.0%} of the weights are known")
    grid.add_row("owner", f"{health.owner or 'nobody'}")
    grid.add_row("customer", " · ".join(_known(health)) or "-")
    variant = f", variant {health.variant}" if health.variant else ""
    grid.add_row("model", f"{health.model} {health.model_version}{variant}")
    grid.add_row("as of", f"{iso(health.as_of)} ({duration(now - health.as_of)} ago)")
    grid.add_row("journal", f"partition {health.partition}, batch {health.sequence}")
    return grid


def _known(health: AccountHealth) -> Iterator[str]:
    if health.segment:
        yield health.segment
    if health.stage:
        yield health.stage
    if health.arr_minor is not None:
        yield f"ARR {money(health.arr_minor, health.currency)}"


def _trend(health: AccountHealth) -> str:
    moved = change(health)
    return {"new": "first day", "=": "unchanged since yesterday"}.get(moved, f"{moved} since yesterday")


def _bars(history: Sequence[HistoryEntry]) -> str:
    return "".join(_BARS[min(7, int(entry.score / 12.5))] for entry in reversed(history))


def breakdown(measures: Sequence[Measure], adjustments: Sequence[Adjustment], caps: Sequence[Cap]) -> Table:
    """Return the table of what a score is made of, the costliest measures first."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Measure", "Score", "Points"):
        table.add_column(name, justify="left" if name == "Measure" else "right", no_wrap=True)
    table.add_column("In words")
    counted = [measure for measure in measures if measure.weight]
    for measure in sorted(counted, key=_cost, reverse=True):
        known = measure.score is not None
        table.add_row(
            measure.name,
            f"{measure.score:.0f}" if known else "not known",
            f"{measure.contribution:.1f} of {measure.weight:.0f}",
            Text(measure.reason),
            style=None if known and not measure.stale else "dim",
        )
    for adjustment in adjustments:
        table.add_row(adjustment.name, "", f"{adjustment.contribution:+.1f}", Text(adjustment.reason))
    for cap in caps:
        until = f", until {iso(cap.until)[:10]}" if cap.until is not None else ""
        table.add_row(
            f"cap {cap.name}",
            f"≤ {cap.limit:.0f}",
            f"{cap.contribution:+.1f}",
            Text(cap.reason + until),
        )
    total = sum(measure.contribution for measure in measures)
    total += sum(a.contribution for a in adjustments) + sum(cap.contribution for cap in caps)
    table.add_section()
    table.add_row("score", "", f"{total:.1f} of 100", "")
    return table


def informing(measures: Sequence[Measure]) -> Iterator[RenderableType]:
    """Yield the table of what is known beside the score, if anything is, in the model's order."""
    shown = [measure for measure in measures if not measure.weight]
    if not shown:
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Known beside it", "Value", "Unit", "Window", "In words"):
        table.add_column(name, justify="right" if name == "Value" else "left", no_wrap=name in _NARROW)
    for measure in shown:
        declared = MEASURES.get(measure.name)
        value = "not known" if measure.value is None else number(measure.value)
        table.add_row(
            measure.name,
            value,
            measure.unit,
            "" if declared is None else declared.window,
            Text(measure.reason),
            style="dim" if measure.stale else None,
        )
    yield table


def _cost(measure: Measure) -> float:
    return -1.0 if measure.score is None else measure.weight - measure.contribution


def _alerts(alerts: Sequence[RiskAlert], health: AccountHealth, now: int) -> Iterator[RenderableType]:
    if not health.open_alerts:
        yield Text("No alert is open.", style="dim")
    for alert in alerts:
        said = Text(f"▲ {alert.severity}: {alert.title}", style="bold red")
        age = duration(max(0, now - alert.opened_at))
        said.append(f"\n  open for {age}, alert {alert.alert_id}", style="dim")
        said.append(f"\n  do: {alert.action}" if alert.action else "", style="not bold")
        if alert.acknowledged_by:
            said.append(f"\n  {alert.acknowledged_by} is on it", style="green")
        yield said
