"""Report of backtests as text, Markdown and data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from bellbuoy.backtest.evaluate import Figure
from bellbuoy.backtest.reliability import Reliability
from bellbuoy.backtest.run import BacktestRun

__all__ = ["as_data", "markdown_tables", "reliability_lines", "text_lines"]


def text_lines(run: BacktestRun) -> Iterator[str]:
    """Yield a run as lines for a terminal."""
    yield (
        f"{run.world}, seed {run.seed}: {run.accounts:,} accounts, {run.days} days, {run.churners} churned; "
        f"model {run.model}"
    )
    width = max(len(figure.name) for figure in run.figures)
    for figure in run.figures:
        yield f"  {figure.name:{width}}  {_value(figure):>6}  {_interval(figure):15}  n {figure.count:,}"
    yield "  alerts before any notice that come true, by rule:"
    for rule, figure in run.by_rule.items():
        yield f"    {rule:{width - 2}}  {_value(figure):>6}  {_interval(figure):15}  n {figure.count:,}"
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
    titles = [f"{run.world} {run.seed}, {run.model}" for run in runs]
    yield "| measured | " + " | ".join(titles) + " |"
    yield "| --- |" + " --- |" * len(runs)
    for row, figure in enumerate(runs[0].figures):
        cells = [f"{_value(run.figures[row])} {_interval(run.figures[row])}".rstrip() for run in runs]
        yield f"| {figure.name} | " + " | ".join(cells) + " |"
    for name in runs[0].by_baseline:
        cells = [", ".join(_value(figure) for figure in run.by_baseline[name]) for run in runs]
        yield f"| *{name}*: AUCs as in the first four rows | " + " | ".join(cells) + " |"
    for run in runs:
        if run.reliability is not None:
            yield ""
            yield f"{run.world} {run.seed}, " + next(reliability_lines(run.reliability)) + "."
            yield ""
            yield "| said | on average | left | interval | observations |"
            yield "| --- | --- | --- | --- | --- |"
            for said in run.reliability.rows:
                yield (
                    f"| {said.low:.0%} to {said.high:.0%} | {said.said:.1%} | {said.observed:.1%} "
                    f"| {said.least:.1%} to {said.most:.1%} | {said.count:,} |"
                )


def as_data(runs: Sequence[BacktestRun]) -> list[dict[str, Any]]:
    """Return runs as plain data for JSON; what is not known is null."""
    return [asdict(run) for run in runs]


def _value(figure: Figure) -> str:
    return "-" if not isfinite(figure.value) else f"{figure.value:.2f}"


def _interval(figure: Figure) -> str:
    known = isfinite(figure.low) and isfinite(figure.high)
    return f"({figure.low:.2f} to {figure.high:.2f})" if known else ""
