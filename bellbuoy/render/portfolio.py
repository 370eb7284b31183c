"""Text and tables of a portfolio, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Group as RenderGroup
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.query.account import payment_risk
from bellbuoy.query.portfolio import Group, Portfolio
from bellbuoy.render.formats import BAND_STYLE, change, money
from processors.measures.formats import count
from processors.portfolio import RollUp
from sinks.serving import AccountSummary

__all__ = ["amounts", "bands", "points", "render_portfolio"]

_SHOWN_GROUPS = 15


def render_portfolio(portfolio: Portfolio) -> RenderableType:
    """Return the portfolio as text and tables that fit 100 columns."""
    parts: list[RenderableType] = [_title(portfolio), _summary(portfolio)]
    if portfolio.parents:
        parts += _table("Parent", portfolio.parents)
    if portfolio.segments:
        parts += _table("Segment", portfolio.segments)
    if portfolio.worst:
        parts += [_worst_accounts(portfolio.worst)]
    return RenderGroup(*parts)


def points(score: float | None) -> str:
    """Return a score with one decimal, or a dash where there is none."""
    return "-" if score is None else f"{score:.1f}"


def amounts(minor: Mapping[str, int]) -> str:
    """Return the sum of amounts by currency, as text."""
    return " + ".join(money(amount, currency or None) for currency, amount in minor.items()) or "0"


def bands(rolled: RollUp) -> Text:
    """Return how many accounts are in each band, as coloured text."""
    text = Text()
    for band, accounts in rolled.bands.items():
        if accounts:
            words = f"{band.replace('_', ' ')} {accounts:,}"
            text.append(" · " if text else "").append(words, BAND_STYLE[band])
    return text or Text("-")


def _retention(rolled: RollUp) -> str:
    """Return gross and net retention in the currency of the most accounts."""
    if not rolled.retention:
        return "-"
    retention = max(rolled.retention.values(), key=lambda one: (one.accounts, one.before))
    return f"{retention.gross:.0%} {retention.net:.0%}"


def _title(portfolio: Portfolio) -> Text:
    rolled = portfolio.rolled
    title = Text(portfolio.tenant, style="bold")
    if portfolio.only is not None:
        title.append(f"  {portfolio.only[0]} {portfolio.only[1]}", style="bold")
    title.append(f"  {count(rolled.accounts, 'account')}", style="dim")
    if rolled.churned:
        title.append(f", {rolled.churned:,} churned left out", style="dim")
    return title


def _summary(portfolio: Portfolio) -> Table:
    rolled = portfolio.rolled
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    ways = [f"{points(rolled.mean)} by mean", f"{points(rolled.by_arr)} by ARR"]
    score = Text(" · ".join(ways if portfolio.by == "mean" else reversed(ways)), style="bold")
    if rolled.without_arr:
        score.append(f"  ({count(rolled.without_arr, 'account')} without ARR weigh nothing)", style="dim")
    grid.add_row("score", score)
    grid.add_row("bands", bands(rolled))
    grid.add_row("ARR at risk", Text(f"{amounts(rolled.arr_at_risk)} of {amounts(rolled.arr)}"))
    for currency, retention in rolled.retention.items():
        paid = money(retention.before, currency or None)
        accounts = count(retention.accounts, "account")
        percent = f"gross {retention.gross:.0%}, net {retention.net:.0%}"
        grid.add_row(
            "retention", Text(f"{percent} of {paid} a month, 12 months ago or at the start, of {accounts}")
        )
    return grid


def _table(title: str, groups: Sequence[Group]) -> Iterator[RenderableType]:
    table = _columns((title, "left"), ("Accounts", "right"), ("Mean", "right"), ("By ARR", "right"))
    if title == "Segment":
        for name in ("Lower quart.", "Median", "Upper quart."):
            table.add_column(name, justify="right", no_wrap=True)
    else:
        table.add_column("Worst", max_width=24, no_wrap=True)
    table.add_column("At risk", justify="right", no_wrap=True)
    if title == "Segment":
        table.add_column("Gross/net", justify="right", no_wrap=True)
    table.add_column("ARR at risk", justify="right")
    for group in groups[:_SHOWN_GROUPS]:
        rolled = group.rolled
        middle = map(points, rolled.quartiles or (None,) * 3) if title == "Segment" else [rolled.worst or "-"]
        table.add_row(
            Text(group.id),
            f"{rolled.accounts:,}",
            points(rolled.mean),
            points(rolled.by_arr),
            *map(Text, middle),
            f"{rolled.bands['critical'] + rolled.bands['at_risk']:,}",
            *([_retention(rolled)] if title == "Segment" else []),
            Text(amounts(rolled.arr_at_risk)),
        )
    yield table
    hidden = len(groups) - _SHOWN_GROUPS
    if hidden > 0:
        yield Text(f"  … and {hidden:,} more (--json has all)", style="dim")


def _worst_accounts(accounts: Sequence[AccountSummary]) -> Table:
    calibrated = any(account.churn_probability is not None for account in accounts)
    table = _columns(
        ("Worst accounts", "left"), ("Score", "right"), ("Today", "right"), ("Band", "left"), ("ARR", "right")
    )
    if calibrated:
        table.add_column("Leaves in 90 days", justify="right")
    unpaid = any(payment_risk(account.involuntary_score) for account in accounts)
    if unpaid:
        table.add_column("Payment risk", justify="right")
    table.add_column("Owner", max_width=16, no_wrap=True)
    table.add_column("Segment", max_width=16, no_wrap=True)
    for account in accounts:
        table.add_row(
            Text(account.account_id),
            points(account.score),
            change(account),
            Text(account.band.replace("_", " "), style=BAND_STYLE.get(account.band, "")),
            Text(money(account.arr_minor, account.currency)),
            *([_chance(account.churn_probability)] if calibrated else []),
            *([points(payment_risk(account.involuntary_score))] if unpaid else []),
            Text(account.owner or "-"),
            Text(account.segment or "-"),
        )
    return table


def _chance(probability: float | None) -> str:
    return "-" if probability is None else f"{probability:.0%}"


def _columns(*columns: tuple[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, (name, justify) in enumerate(columns):
        width = 30 if number == 0 else None
        table.add_column(name, justify=justify, no_wrap=True, max_width=width)  # type: ignore[arg-type]
    return table
