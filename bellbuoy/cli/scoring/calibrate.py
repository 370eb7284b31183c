"""The command ``bellbuoy calibrate``: propose a model's numbers from a team's own history."""

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
from bellbuoy.cli.terminal.output import emit, fail, warn

__all__ = ["calibrate"]


def calibrate(
    worlds: Worlds = None,
    files: Files = None,
    mapping: Mapping = None,
    journal: Journal = False,
    tenant: OneTenant = None,
    churn: ChurnDates = None,
    model: Annotated[
        str, typer.Option(metavar="FILE", help="The model to begin with: a file, or `default`.")
    ] = "default",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the proposed model file there.")
    ] = None,
    seed: Seeds = None,
    accounts: Accounts = None,
    days: Days = None,
    as_json: Json = False,
) -> None:
    """
    Propose a model's weights, curves, band edges and probability of churn from your own history.

    The history says what was known of each customer, week by week, and who left within 90 days. The model's
    own numbers are where the fit begins, and they stay where the history says little. What is proposed is
    shown as a diff of the model file, with what it does to customers that took no part in the fit. Nothing is
    changed: `bellbuoy model apply FILE` puts the proposal in force, if you agree (docs/calibrate.md).

    With fewer than 30 customers that left, nothing is proposed.

    \b
    Examples:
      bellbuoy calibrate --from usage.csv --from churn.csv --map map.yaml --output mine.yaml
      bellbuoy calibrate --journal --tenant acme --model health.yaml --output mine.yaml
      bellbuoy calibrate --journal --tenant acme --churn churn.csv
      bellbuoy calibrate saas --accounts 400
    """
    from bellbuoy.calibration.model_text import unified_diff
    from bellbuoy.calibration.proposal import propose
    from bellbuoy.calibration.report import as_data, text_lines
    from bellbuoy.calibration.samples import joined, take_samples
    from bellbuoy.cli.terminal.progress_bar import progress_bar
    from bellbuoy.operations.model_files import load_file, model_text

    loaded, text = load_file(model), model_text(model)
    chosen = histories(
        worlds=worlds, files=files, mapping=mapping, journal=journal, tenant=tenant, churn=churn,
        seeds=seed, accounts=accounts, days=days,
    )  # fmt: skip
    if output is not None and not output.parent.is_dir():
        fail(f"{output.parent}: no such folder: create it, or give another --output")
    parts, varied = [], 0
    for history in chosen:
        with progress_bar(f"{history.name} {history.seed}, days", history.days, quiet=as_json) as progress:
            samples, left_out = take_samples(history, loaded, progress)
        parts.append(samples)
        varied += left_out
    if varied:
        warn(f"{varied:,} observations of accounts in a variant are left out: a variant has its own numbers")
    proposal = propose(loaded, text, joined(parts))
    name = "default.yaml" if model == "default" else model
    diff = unified_diff(text, proposal.text, name, name if output is None else str(output))
    lines = list(text_lines(proposal, diff))
    if output is not None:
        output.write_text(proposal.text, encoding="utf-8")
        lines += [
            "",
            f"Written to {output}. Look at it on your history, then put it in force:",
            f"  bellbuoy model check {output}",
            f"  bellbuoy model apply {output} --shadow    (beside the live model, without alerts)",
            f"  bellbuoy model apply {output}",
        ]
    emit(as_data(proposal, diff), lines, as_json)
