"""Text and tables of an explanation: what a customer's score consists of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.query.account import Explanation, informing_measures, needed_coverage, payment_risk, window_of
from bellbuoy.render.formats import BAND_STYLE, amount, change, duration, money, number
from bellbuoy.render.portfolio import bands, points
from processors.measures import MEASURES
from processors.measures.formats import count
from processors.portfolio import PeerRank, RollUp
from schemas.records import AccountHealth, Adjustment, Cap, Measure, RiskAlert
from schemas.times import iso
from sinks.serving import HistoryEntry

__all__ = ["informing_table", "render_explanation", "score_table"]

_NARROW = ("Known beside it", "Value")
_SHOWN_NOTES = 3
_BARS = "▁▂▃▄▅▆▇█"


def render_explanation(explanation: Explanation, now: int, ago: str = "ago") -> RenderableType:
    """
    Return the explanation as text and tables.

    Ages are relative to *now*, UTC milliseconds, and followed by the word ``ago``.
    """
    health = explanation.health
    parts: list[RenderableType] = [
        _title(health),
        _summary(explanation, now, ago),
        score_table(health.measures, health.adjustments, health.caps, now),
        *informing_table(informing_measures(explanation)),
    ]
    if health.reasons:
        parts.append(Text("Costliest: " + "; ".join(health.reasons)))
    parts.extend(_alerts(explanation.alerts, health, now))
    return Group(*parts)


def _title(health: AccountHealth) -> Text:
    style = BAND_STYLE.get(health.band, "")
    title = Text(f"{health.name or health.account_id}", style="bold")
    title.append(f"  {health.tenant}:{health.account_id}\n", style="dim")
    if health.merged_into is not None:
        return title.append(f"merged into {health.merged_into}: explain that account")
    band = health.label or health.band.replace("_", " ")
    title.append(f"{health.score:.1f} of 100, {band}", style=style)
    if health.scale != 100:
        title.append(f", {health.score * health.scale / 100:g} of {health.scale:g} as the model counts")
    return title


def _summary(explanation: Explanation, now: int, ago: str) -> Table:
    health = explanation.health
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_row("trend", f"{_trend(health)}  {_bars(explanation.history)}".rstrip())
    if health.churn_probability is not None:
        said = f"{health.churn_probability:.1%} within 90 days, as the model is calibrated"
        grid.add_row("leaves", said)
    risk = payment_risk(health.involuntary_score)
    if risk is not None:
        said = f"{risk:g} of 100 points, which nobody decided: {'; '.join(health.involuntary_reasons)}"
        grid.add_row("payment risk", Text(said) if risk else "none")
    grid.add_row("coverage", _coverage(health))
    grid.add_row("owner", Text(health.owner or "nobody"))
    grid.add_row("customer", Text(" · ".join(_profile(health)) or "-"))
    if explanation.standing is not None:
        grid.add_row("segment", Text(_rank(explanation.standing)))
    if explanation.parent is not None:
        parent = explanation.parent
        grid.add_row(
            "parent", Text(f"{parent.name or ''} {parent.id}: ".lstrip()).append(_roll_up(parent.rolled))
        )
    if explanation.group is not None:
        grid.add_row("with all below", _roll_up(explanation.group))
    variant = f", variant {health.variant}" if health.variant else ""
    grid.add_row("model", f"{health.model} {health.model_version}{variant}")
    for shadow in health.beside:
        band = shadow.band.replace("_", " ")
        grid.add_row("shadow model", f"{shadow.model} {shadow.model_version}: {shadow.score:.1f}, {band}")
    for entry in health.overrides:
        until = "until withdrawn" if entry.until is None else f"until {iso(entry.until)[:10]}"
        grid.add_row(
            "override", Text(f"{entry.target} {entry.value:g} by {entry.author}, {until}: {entry.reason}")
        )
    for task in health.tasks:
        if task.done_at is None:
            due = "" if task.due_at is None else f"due {iso(task.due_at)[:10]}, "
            grid.add_row("task", Text(f"{task.title} ({due}{task.assignee or health.owner or 'nobody'})"))
    for note in health.notes[:_SHOWN_NOTES]:
        grid.add_row("note", Text(f"{iso(note.at)[:10]} {note.author}: {note.text}"))
    for source in health.silent_sources:
        grid.add_row("frozen", f"measures from {source}: it is silent for every account")
    grid.add_row("as of", f"{iso(health.as_of)} ({duration(now - health.as_of)} {ago})")
    if explanation.kpis is not None:
        since = explanation.kpis.as_of
        grid.add_row("KPIs as of", f"{iso(since)} ({duration(now - since)} {ago})")
    grid.add_row("journal", f"partition {health.partition}, batch {health.sequence}")
    return grid


def _coverage(health: AccountHealth) -> str:
    known = f"{health.coverage:.0%} of the weights are known"
    if health.band != "unknown" or health.merged_into is not None:
        return known
    needed = needed_coverage(health)
    if needed is None:
        return f"{known}; for a band the model asks for the share min_coverage"
    if health.coverage < needed:
        return f"{known}, {needed:.0%} are needed for a band"
    missing = [measure.name for measure in health.measures if measure.weight and measure.score is None]
    return f"{known}; what is not known could change the band: {', '.join(missing)}" if missing else known


def _rank(rank: PeerRank) -> str:
    peers = f"{count(rank.peers, 'other')} in {rank.segment}"
    if rank.percentile is None:
        return f"{peers}: too few to compare with"
    return f"better than {rank.percentile:.0f} % of {peers}"


def _roll_up(rolled: RollUp) -> Text:
    text = Text(f"{points(rolled.mean)} by mean, {points(rolled.by_arr)} by ARR; ")
    text.append(bands(rolled))
    return text.append(f"; worst {rolled.worst}") if rolled.worst is not None else text


def _profile(health: AccountHealth) -> Iterator[str]:
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


def score_table(
    measures: Sequence[Measure],
    adjustments: Sequence[Adjustment],
    caps: Sequence[Cap],
    now: int | None = None,
) -> Table:
    """
    Return the table of a score's parts, with the measures that cost the most points first.

    With *now*, a second line has each measure's value, its window and the age of its evidence.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Measure", "Score", "Points"):
        table.add_column(name, justify="left" if name == "Measure" else "right", no_wrap=True)
    table.add_column("In words")
    counted = [measure for measure in measures if measure.weight]
    takes_away = all(measure.contribution <= 0 for measure in counted)
    missing = partial(_points_missing, takes_away=takes_away)
    for measure in sorted(counted, key=missing, reverse=True):
        known = measure.score is not None
        words = Text(measure.reason)
        if now is not None:
            words.append("\n" + " · ".join(_evidence(measure, now)), style="dim")
        table.add_row(
            measure.name,
            f"{measure.score:.0f}" if known else "not known",
            _points(measure),
            words,
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


def _points(measure: Measure) -> str:
    """Return what a measure brings of what it can bring; of one that only takes away, what it takes."""
    if measure.contribution < 0 or (measure.score == 100 and not measure.contribution):
        return f"{measure.contribution:+.1f}" if measure.contribution else "0.0"
    return f"{measure.contribution:.1f} of {measure.weight:.0f}"


def informing_table(measures: Sequence[Measure]) -> Iterator[RenderableType]:
    """Yield the table of measures that only inform, in the model's order; nothing when there are none."""
    if not measures:
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("Known beside it", "Value", "Unit", "Window", "In words"):
        table.add_column(name, justify="right" if name == "Value" else "left", no_wrap=name in _NARROW)
    for measure in measures:
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


def _evidence(measure: Measure, now: int) -> Iterator[str]:
    if measure.value is not None:
        yield amount(measure.value, measure.unit)
    window = window_of(measure.name)
    if window is not None:
        yield window
    if measure.as_of is not None:
        yield f"reported {duration(now - measure.as_of)} before" + (", stale" if measure.stale else "")
    elif measure.stale:
        yield "stale"


def _points_missing(measure: Measure, *, takes_away: bool) -> float:
    if measure.score is None:
        return -1.0
    return (0 if takes_away else measure.weight) - measure.contribution


def who_has_it(alert: RiskAlert, now: int) -> str:
    """Return who acknowledged an alert, since when, and the note on it, in words."""
    since = "" if alert.acknowledged_at is None else f" for {duration(max(0, now - alert.acknowledged_at))}"
    return f"{alert.acknowledged_by} is on it{since}" + (f": {alert.note}" if alert.note else "")


def _alerts(alerts: Sequence[RiskAlert], health: AccountHealth, now: int) -> Iterator[RenderableType]:
    if not health.open_alerts:
        yield Text("No alert is open.", style="dim")
    for alert in alerts:
        text = Text(f"▲ {alert.severity}: {alert.title}", style="bold red")
        age = duration(max(0, now - alert.opened_at))
        text.append(f"\n  open for {age}, alert {alert.alert_id}", style="dim")
        text.append(f"\n  do: {alert.action}" if alert.action else "", style="not bold")
        if alert.acknowledged_by:
            text.append(f"\n  {who_has_it(alert, now)}", style="green")
        yield text
