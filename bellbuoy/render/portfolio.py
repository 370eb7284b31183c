"""A portfolio for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich import box
from rich.console import Group as Together
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.query.portfolio import Group, Portfolio
from bellbuoy.render.formats import BAND_STYLE, change, money
from processors.measures.formats import count
from processors.portfolio import RollUp
from sinks.serving import AccountSummary

__all__ = ["amounts", "bands", "points", "render"]

_MOST_SHOWN = 15


def render(found: Portfolio) -> RenderableType:
    """Return the portfolio as text and tables that fit 100 columns."""
    parts: list[RenderableType] = [_title(found), _facts(found)]
    if found.parents:
        parts += _table("Parent", found.parents)
    if found.segments:
        parts += _table("Segment", found.segments)
    if found.worst:
        parts += [_worst(found.worst)]
    return Together(*parts)


def points(score: float | None) -> str:
    """Return a score with one decimal, or a dash where there is none."""
    return "-" if score is None else f"{score:.1f}"


def amounts(minor: Mapping[str, int]) -> str:
    """Return amounts of several currencies."""
    return " + ".join(money(amount, currency or None) for currency, amount in minor.items()) or "0"


def bands(rolled: RollUp) -> Text:
    """Return how many accounts are in each band."""
    said = Text()
    for band, accounts in rolled.bands.items():
        if accounts:
            words = f"{band.replace('_', ' ')} {accounts:,}"
            said.append(" · " if said else "").append(words, BAND_STYLE[band])
    return said or Text("-")


def _kept(rolled: RollUp) -> str:
    """Return gross and net retention in the currency of which the most was paid."""
    if not rolled.retention:
        return "-"
    kept = max(rolled.retention.values(), key=lambda kept: (kept.accounts, kept.before))
    return f"{kept.gross:.0%} {kept.net:.0%}"


def _title(found: Portfolio) -> Text:
    rolled = found.rolled
    title = Text(found.tenant, style="bold")
    if found.only is not None:
        title.append(f"  {found.only[0]} {found.only[1]}", style="bold")
    title.append(f"  {count(rolled.accounts, 'account')}", style="dim")
    if rolled.churned:
        title.append(f", {rolled.churned:,} churned left out", style="dim")
    return title


def _facts(found: Portfolio) -> Table:
    rolled = found.rolled
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    ways = [f"{points(rolled.mean)} by mean", f"{points(rolled.by_arr)} by ARR"]
    said = Text(" · ".join(ways if found.by == "mean" else reversed(ways)), style="bold")
    if rolled.without_arr:
        said.append(f"  ({count(rolled.without_arr, 'account')} without ARR weigh nothing)", style="dim")
    grid.add_row("score", said)
    grid.add_row("bands", bands(rolled))
    grid.add_row("ARR at risk", Text(f"{amounts(rolled.arr_at_risk)} of {amounts(rolled.arr)}"))
    for currency, kept in rolled.retention.items():
        told = f"gross {kept.gross:.0%}, net {kept.net:.0%} of {money(kept.before, currency or None)} a month"
        accounts = count(kept.accounts, "account")
        grid.add_row("retention", Text(f"{told} 12 months ago, of {accounts}"))
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
    for group in groups[:_MOST_SHOWN]:
        rolled = group.rolled
        middle = map(points, rolled.quartiles or (None,) * 3) if title == "Segment" else [rolled.worst or "-"]
        table.add_row(
            Text(group.id),
            f"{rolled.accounts:,}",
            points(rolled.mean),
            points(rolled.by_arr),
            *map(Text, middle),
            f"{rolled.bands['critical'] + rolled.bands['at_risk']:,}",
            *([_kept(rolled)] if title == "Segment" else []),
            Text(amounts(rolled.arr_at_risk)),
        )
    yield table
    hidden = len(groups) - _MOST_SHOWN
    if hidden > 0:
        yield Text(f"  … and {hidden:,} more (--json has all)", style="dim")


def _worst(accounts: Iterable[AccountSummary]) -> Table:
    table = _columns(
        ("Worst accounts", "left"), ("Score", "right"), ("Today", "right"), ("Band", "left"), ("ARR", "right")
    )
    table.add_column("Owner", max_width=16, no_wrap=True)
    table.add_column("Segment", max_width=16, no_wrap=True)
    for one in accounts:
        table.add_row(
            Text(one.account_id),
            points(one.score),
            change(one),
            Text(one.band.replace("_", " "), style=BAND_STYLE.get(one.band, "")),
            Text(money(one.arr_minor, one.currency)),
            Text(one.owner or "-"),
            Text(one.segment or "-"),
        )
    return table


def _columns(*columns: tuple[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, (name, justify) in enumerate(columns):
        width = 30 if number == 0 else None
        table.add_column(name, justify=justify, no_wrap=True, max_width=width)  # type: ignore[arg-type]
    return table
