"""The command ``bellbuoy backtest``: hold a model against worlds whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.scoring.histories import (
    Accounts,
    ChurnDates,
    Days,
    Files,
    Journal,
    Mapping,
    OneTenant,
    Seeds,
    Worlds,
    histories,
)
from bellbuoy.cli.terminal.output import emit, fail
from bellbuoy.exit_codes import CONFIGURATION

__all__ = ["backtest"]


def backtest(
    worlds: Worlds = None,
    files: Files = None,
    mapping: Mapping = None,
    journal: Journal = False,
    tenant: OneTenant = None,
    churn: ChurnDates = None,
    model: Annotated[str, typer.Option(metavar="FILE", help="The model: a file, or `default`.")] = "default",
    rules: Annotated[
        str, typer.Option(metavar="FILE", help="The alert rules: a file, or `default`.")
    ] = "default",
    seed: Seeds = None,
    accounts: Accounts = None,
    days: Days = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with plots, for people, there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Hold a model and alert rules against worlds whose truth is known, or against your own history.

    Does it warn early, and is it right? The model scores each day of a world with nothing later visible,
    publishing nothing. Scores and alerts are then compared with who really left, when, and why. Only
    customers who have not given notice count. The first 84 days of a world are not counted, because the model
    has no past to compare with yet.

    Your own history is files (--from), or the journal of this deployment (--journal), in which a customer
    left when its subscription ended or its profile says so, or on the dates that you give (--churn).

    All seeds of a world are one run: its intervals are over the accounts of all, with the values of each
    seed beside. The world `company` is the company of the demo.

    Beside the model stand single signs that anybody could sort by. With several worlds or seeds, also what a
    regression and boosted trees learn from the others, if the extra `backtest` is installed.

    \b
    Examples:
      bellbuoy backtest saas
      bellbuoy backtest saas selfserve --seeds 21,22,23 --accounts 200
      bellbuoy backtest my-world.yaml --model health.yaml --rules alerts.yaml --json
      bellbuoy backtest --from usage.csv --from churn.csv --map map.yaml
      bellbuoy backtest --journal --tenant acme --churn churn.csv
      bellbuoy backtest saas --html report.html
    """
    from bellbuoy.backtest.html import html_page
    from bellbuoy.backtest.report import as_data, markdown_tables, text_lines
    from bellbuoy.backtest.run import run_backtests
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.model_files import ModelFileError, load_file, load_rule_file

    try:
        loaded, alert_rules = load_file(model), load_rule_file(rules)
    except ModelFileError as error:
        fail(str(error), CONFIGURATION)
    chosen = histories(
        worlds=worlds, files=files, mapping=mapping, journal=journal, tenant=tenant, churn=churn,
        seeds=seed, accounts=accounts, days=days,
    )  # fmt: skip
    with progress_bar("days", sum(world.days for world in chosen), quiet=as_json) as progress:
        before = {id(world): sum(each.days for each in chosen[:place]) for place, world in enumerate(chosen)}
        runs = run_backtests(
            chosen, loaded, lambda world, day: progress(before[id(world)] + day), alert_rules
        )
    if html is not None:
        html.write_text(html_page(runs), encoding="utf-8")
    lines = list(markdown_tables(runs)) if markdown else [line for run in runs for line in text_lines(run)]
    emit(as_data(runs), lines, as_json)
