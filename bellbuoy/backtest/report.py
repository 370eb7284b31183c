"""Report of backtests as text, Markdown and data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from bellbuoy.backtest.cause_figures import CauseNamed
from bellbuoy.backtest.evaluate import HEADLINES
from bellbuoy.backtest.figure import Figure
from bellbuoy.backtest.reliability import Reliability
from bellbuoy.backtest.run import BacktestRun

__all__ = ["as_data", "markdown_tables", "reliability_lines", "text_lines"]


def text_lines(run: BacktestRun) -> Iterator[str]:
    """Yield a run as lines for a terminal: first the figures by which a model is judged, then all others."""
    yield (
        f"{run.title}: {run.accounts:,} accounts, {run.days} days, {run.churners} churned; "
        f"model {run.model}, rules {run.rules}"
    )
    width = max(len(figure.name) for figure in run.figures)
    first = [figure for name in HEADLINES for figure in run.figures if figure.name == name]
    for figure in first:
        yield f"  {_line(figure, width)}"
    for segment, figures in run.by_segment.items():
        yield f"  {segment}:"
        yield from (f"    {_line(figure, width - 2)}" for figure in figures)
    yield "  more:"
    yield from (f"    {_line(figure, width - 2)}" for figure in run.figures if figure not in first)
    if run.by_cause:
        yield "  the first three reasons name the cause, by cause, and what comes first where they don't:"
        for one in run.by_cause.values():
            yield f"    {_line(one.named, 14)}  {_instead(one)}".rstrip()
    yield "  alerts before any notice that come true, by rule:"
    for figure in run.by_rule.values():
        yield f"    {_line(figure, width - 2)}"
    yield "  beside it, as a ranking by itself:"
    for name, figures in run.by_baseline.items():
        aucs = ", ".join(f"{figure.name.removeprefix('AUC, ')} {_value(figure)}" for figure in figures)
        yield f"    {name}: {aucs}"
    if run.reliability is not None:
        yield from (f"  {line}" for line in reliability_lines(run.reliability))


def reliability_lines(reliability: Reliability) -> Iterator[str]:
    """Yield how far probabilities of churn come true, as lines."""
    yield (
        f"probability of churn within 90 days: Brier score {reliability.brier:.4f}, "
        f"{reliability.skill:+.1%} against saying the average for everybody"
    )
    for row in reliability.rows:
        yield (
            f"  said {row.low:4.0%} to {row.high:4.0%} (on average {row.said:4.1%}): {row.observed:5.1%} "
            f"left ({row.least:.1%} to {row.most:.1%})  n {row.count:,}"
        )


def markdown_tables(runs: Sequence[BacktestRun]) -> Iterator[str]:
    """Yield the lines of a table with a column for each run, and of one with the baselines."""
    titles = [f"{run.title}, {run.model}, rules {run.rules}" for run in runs]
    yield from _head("measured", titles)
    for name in _names(run.figures for run in runs):
        yield f"| {name} | " + " | ".join(_cell(run.figures, name) for run in runs) + " |"
    for name in _distinct(name for run in runs for name in run.by_baseline):
        cells = [", ".join(map(_value, run.by_baseline.get(name, ()))) or "-" for run in runs]
        yield f"| *{name}*: AUCs as in the first four rows | " + " | ".join(cells) + " |"
    yield from _segment_table(runs)
    yield from _cause_table(runs)
    yield from _rule_table(runs)
    for run in runs:
        if run.reliability is not None:
            yield ""
            yield f"{run.title}, " + next(reliability_lines(run.reliability)) + "."
            yield ""
            yield from _head("said", ["on average", "left", "interval", "observations"])
            for said in run.reliability.rows:
                yield (
                    f"| {said.low:.0%} to {said.high:.0%} | {said.said:.1%} | {said.observed:.1%} "
                    f"| {said.least:.1%} to {said.most:.1%} | {said.count:,} |"
                )


def _segment_table(runs: Sequence[BacktestRun]) -> Iterator[str]:
    parts = [(run, segment) for run in runs for segment in run.by_segment]
    if not parts:
        return
    yield ""
    yield from _head("by segment", [f"{run.world}, {segment}" for run, segment in parts])
    for name in _names(run.by_segment[segment] for run, segment in parts):
        cells = [_cell(run.by_segment[segment], name) for run, segment in parts]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _cause_table(runs: Sequence[BacktestRun]) -> Iterator[str]:
    causes = _distinct(cause for run in runs for cause in run.by_cause)
    if not causes:
        return
    yield ""
    yield from _head("cause named; else the first reason", [run.world for run in runs])
    for cause in causes:
        cells = []
        for run in runs:
            one = run.by_cause.get(cause)
            cells.append("-" if one is None else f"{_value(one.named)}; {_instead(one)}".removesuffix("; "))
        yield f"| {cause} | " + " | ".join(cells) + " |"


def _rule_table(runs: Sequence[BacktestRun]) -> Iterator[str]:
    rules = _distinct(rule for run in runs for rule in run.by_rule)
    if not rules:
        return
    yield ""
    yield from _head(
        "alerts of a rule before any notice, and how many come true", [run.world for run in runs]
    )
    for rule in rules:
        found = [run.by_rule.get(rule) for run in runs]
        cells = ["-" if one is None or not one.count else f"{one.count}, {_value(one)}" for one in found]
        yield f"| {rule} | " + " | ".join(cells) + " |"


def _head(first: str, others: Sequence[str]) -> Iterator[str]:
    yield f"| {first} | " + " | ".join(others) + " |"
    yield "| --- |" + " --- |" * len(others)


def _names(parts: Iterable[Sequence[Figure]]) -> list[str]:
    """Return the names of all figures, the headlines first."""
    names = _distinct(figure.name for part in parts for figure in part)
    return [
        *(name for name in HEADLINES if name in names),
        *(name for name in names if name not in HEADLINES),
    ]


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _cell(figures: Sequence[Figure], name: str) -> str:
    figure = next((one for one in figures if one.name == name), None)
    return "-" if figure is None else f"{_value(figure)} {_interval(figure)}".rstrip()


def _line(figure: Figure, width: int) -> str:
    seeds = [f"{value:.2f}" for value in figure.by_seed if isfinite(value)]
    by_seed = f"  by seed {', '.join(seeds)}" if seeds else ""
    return f"{figure.name:{width}}  {_value(figure):>6}  {_interval(figure):15}  n {figure.count:,}{by_seed}"


def _instead(one: CauseNamed) -> str:
    return ", ".join(f"{name or 'nothing'} {share:.0%}" for name, share in one.instead)


def as_data(runs: Sequence[BacktestRun]) -> list[dict[str, Any]]:
    """Return runs as plain data for JSON; what is not known is null."""
    return [asdict(run) for run in runs]


def _value(figure: Figure) -> str:
    return "-" if not isfinite(figure.value) else f"{figure.value:.2f}"


def _interval(figure: Figure) -> str:
    known = isfinite(figure.low) and isfinite(figure.high)
    return f"({figure.low:.2f} to {figure.high:.2f})" if known else ""
