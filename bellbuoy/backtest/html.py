"""Report of backtests as one HTML page with plots, for a head of customer success."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import isfinite

from bellbuoy.backtest.figure import Figure
from bellbuoy.backtest.run import BacktestRun

__all__ = ["html_page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 3rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dde3ea; }
th { font-weight: normal; }
td:nth-child(n+2), th:nth-child(n+2) { text-align: right; font-variant-numeric: tabular-nums; }
.note { color: #5a6877; }
svg { display: block; margin: .5rem 0 1.5rem; max-width: 100%; }
"""
_PLOTS = (
    (
        "Do the bands mean something?",
        "Of the accounts shown in a band, how many left within 90 days: the more, the worse the band.",
        tuple((f"churn within 90 days of those called {band}", band.replace("_", " "))
              for band in ("critical", "at_risk", "watch", "healthy")),
    ),
    (
        "If you look at the riskiest accounts only, how often is there a reason?",
        "How many of them were in trouble, or left within 90 days.",
        tuple((f"true among the riskiest {share}", f"riskiest {share}") for share in ("5%", "10%", "20%")),
    ),
    (
        "How many of those who leave do you see there?",
        "Of all who left within 90 days, by their number.",
        tuple((f"churn within 90 days found in the riskiest {share}", f"riskiest {share}")
              for share in ("5%", "10%", "20%")),
    ),
    (
        "And how much of the revenue that leaves?",
        "Of the yearly revenue of all who left within 90 days.",
        tuple((f"its ARR found in the riskiest {share}", f"riskiest {share}")
              for share in ("5%", "10%", "20%")),
    ),
)  # fmt: skip
_LEFT, _WIDE, _ROW = 190, 460, 26


def html_page(runs: Sequence[BacktestRun]) -> str:
    """Return the page: plots and a table of each run."""
    title = "How early and how often the model is right"
    parts = "\n".join(part for run in runs for part in _run(run))
    return (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>\n"
        f"<h1>{title}</h1>\n<p class=note>Bars are the measured values; the thin lines are 95 % intervals "
        "over accounts: with other customers of the same kind the value would lie there.</p>\n"
        f"{parts}\n</html>\n"
    )


def _run(run: BacktestRun) -> Iterator[str]:
    figures = {figure.name: figure for figure in run.figures}
    yield f"<h2>{escape(run.world)}, model {escape(run.model)}, rules {escape(run.rules)}</h2>"
    yield (
        f"<p>{run.accounts:,} accounts over {run.days} days, of which {run.churners:,} left. Each account is "
        "observed once a week, while it is a customer who has not given notice.</p>"
    )
    for heading, note, wanted in _PLOTS:
        bars = [(label, figures[name]) for name, label in wanted if name in figures]
        yield f"<h3>{escape(heading)}</h3><p class=note>{escape(note)}</p>{_bars(bars)}"
    if run.by_rule:
        yield "<h3>Which alerts come true?</h3><p class=note>Alerts before any notice, by their rule.</p>"
        yield _bars(
            [(f"{name} ({figure.count})", figure) for name, figure in run.by_rule.items() if figure.count]
        )
    if run.reliability is not None:
        yield "<h3>Does the probability come true?</h3><p class=note>Accounts by the probability of churn "
        yield "within 90 days that the model stated, and how many of them left.</p>"
        yield _bars(
            [
                (f"said {row.said:.0%}", Figure("", row.observed, row.least, row.most, row.count))
                for row in run.reliability.rows
            ]
        )
    yield "<h3>All figures</h3><table><tr><th>measured<th>value<th>95 % interval<th>observations"
    for figure in run.figures:
        interval = f"{figure.low:.2f} to {figure.high:.2f}" if _known(figure) else ""
        value = f"{figure.value:.2f}" if isfinite(figure.value) else "not known"
        yield f"<tr><td>{escape(figure.name)}<td>{value}<td>{interval}<td>{figure.count:,}"
    yield "</table>"


def _bars(bars: Sequence[tuple[str, Figure]]) -> str:
    """Return bars from 0 to 100 % as SVG, each with its label, value and interval."""
    height = _ROW * len(bars) + 4
    rows = []
    for place, (label, figure) in enumerate(bars):
        middle = place * _ROW + _ROW // 2
        rows.append(f'<text x="{_LEFT - 8}" y="{middle + 5}" text-anchor="end">{escape(label)}</text>')
        value = figure.value if isfinite(figure.value) else 0.0
        width = round(_WIDE * min(1.0, value))
        rows.append(f'<rect x="{_LEFT}" y="{middle - 8}" width="{width}" height="16" fill="#3b7dd8"/>')
        end = width
        if _known(figure):
            low, high = (round(_LEFT + _WIDE * min(1.0, each)) for each in (figure.low, figure.high))
            rows.append(f'<path d="M{low} {middle}H{high}" stroke="#1c2733" stroke-width="2"/>')
            end = max(width, high - _LEFT)
        shown = f"{value:.0%}" if isfinite(figure.value) else "not known"
        rows.append(f'<text x="{_LEFT + end + 8}" y="{middle + 5}">{shown}</text>')
    size = f'viewBox="0 0 {_LEFT + _WIDE + 60} {height}" width="{_LEFT + _WIDE + 60}" height="{height}"'
    return f'<svg {size} role="img" font-family="inherit" font-size="14">{"".join(rows)}</svg>'


def _known(figure: Figure) -> bool:
    return isfinite(figure.low) and isfinite(figure.high)
