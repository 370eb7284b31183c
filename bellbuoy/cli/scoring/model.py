"""The command `bellbuoy model`: checks, explains and compares health models."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer

from bellbuoy.cli.options import Json
from bellbuoy.cli.scoring.checked_files import fault_data
from bellbuoy.cli.scoring.model_live import live_models
from bellbuoy.cli.terminal.output import emit
from bellbuoy.exit_codes import CONFIGURATION, OK

__all__ = ["model"]

_EXITS = "Exit codes: 0 ok · 2 usage, or a model with faults"
_File = Annotated[str, typer.Argument(metavar="FILE", help="A model file, or `default`.")]


model = typer.Typer(
    name="model",
    help="Check, explain and compare health models.\n\n"
    "A health model is a YAML file that says which measures count, and what makes a score, caps and a band "
    "of them. docs/model.md teaches how to write one; docs/models/ has examples.",
    no_args_is_help=True,
    epilog=_EXITS,
)
model.add_typer(live_models)


@model.command(epilog=_EXITS)
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Model files, or `default`.")],
    together: Annotated[
        bool, typer.Option("--together", help="Check too that they can be in force together.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Check model files, and list every fault with its line, its column and the fix.

    A warning says where missing data could raise a score; a model with warnings may be used.

    \b
    Examples:
      bellbuoy model check health.yaml
      bellbuoy model check --together models/*.yaml
    """
    from bellbuoy.operations.model_files import check_file
    from processors.model import clashes

    checked = {file: check_file(file) for file in files}
    lines, data, count = [], [], 0
    for file, result in checked.items():
        faults = (*result.faults, *result.warnings)
        count += len(result.faults)
        lines += [f"{file}:{fault}" for fault in faults]
        if result.model is not None:
            lines.append(f"{file}: {_summary(result.model)}")
        data.append(
            {
                "file": file,
                "model": result.model and result.model.name,
                "version": result.model and result.model.version,
                "faults": [fault_data(fault) | {"warning": fault.warning} for fault in faults],
            }
        )
    models = [result.model for result in checked.values() if result.model is not None]
    clashing = clashes(models) if together else []
    lines += [f"together: {clash}" for clash in clashing]
    count += len(clashing)
    if count:
        lines.append(f"{count} {'fault' if count == 1 else 'faults'}.")
    emit({"ok": not count, "files": data, "side_by_side": clashing}, lines, as_json)
    raise typer.Exit(CONFIGURATION if count else OK)


@model.command(epilog=_EXITS)
def explain(
    file: _File,
    facts: Annotated[
        list[str] | None,
        typer.Option(
            "--fact", metavar="NAME=VALUE", help="Score an account of which a measure or a fact is this."
        ),
    ] = None,
    segment: Annotated[str | None, typer.Option(help="The same as --fact account.segment=.")] = None,
    stage: Annotated[str | None, typer.Option(help="The same as --fact account.stage=.")] = None,
    as_json: Json = False,
) -> None:
    """
    Explain a model, or show how it scores an account.

    With --fact, --segment or --stage the model scores an account of which nothing else is known. Facts that
    conditions read are named as there: account.seats, account.plan, account.renewal_days.

    \b
    Examples:
      bellbuoy model explain default
      bellbuoy model explain health.yaml --fact usage.drop=0.4 --fact support.urgent=60
      bellbuoy model explain health.yaml --stage onboarding --fact account.seats=50
    """
    from rich.console import Console

    from bellbuoy.operations.model_files import load_file
    from bellbuoy.query.trial import read_facts, try_out
    from bellbuoy.render.model import render_model, render_trial, trial_data

    loaded = load_file(file)
    profile = {"account.segment": segment, "account.stage": stage}
    given = [*(facts or []), *(f"{name}={value}" for name, value in profile.items() if value is not None)]
    if given:
        try:
            trial = try_out(loaded, read_facts(given, loaded))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        data, shown = trial_data(trial), render_trial(trial)
    else:
        data, shown = orjson.loads(loaded.text), render_model(loaded)
    if as_json:
        emit(data, [], as_json=True)
    else:
        Console(soft_wrap=False).print(shown)


@model.command(epilog=_EXITS)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A model file, or `default`.")],
    after: Annotated[
        str, typer.Argument(metavar="B", help="The model file to compare it with, or `default`.")
    ],
    as_json: Json = False,
) -> None:
    """
    Show the differences between two models: measures' shares of the score, then keys.

    \b
    Examples:
      bellbuoy model diff default health.yaml
    """
    from bellbuoy.operations.model_files import load_file
    from processors.model import differences

    old, new = load_file(before), load_file(after)
    differing = differences(old, new)
    lines = [f"{old.name} {old.version} → {new.name} {new.version}"]
    for part in differing:
        if part.before is None:
            lines.append(f"+ {part.where}: {part.after}")
        elif part.after is None:
            lines.append(f"- {part.where}: {part.before}")
        else:
            lines.append(f"~ {part.where}: {part.before} → {part.after}")
    if not differing:
        lines.append("They are the same model.")
    data = [{"where": part.where, "before": part.before, "after": part.after} for part in differing]
    emit({"before": old.version, "after": new.version, "differences": data}, lines, as_json)


@model.command(epilog=_EXITS)
def schema() -> None:
    """
    Print the format of model files as JSON Schema, for editors.

    \b
    Examples:
      bellbuoy model schema > model.schema.json
    """
    from processors.model import json_schema

    emit(json_schema(), [], as_json=True)


@model.command(epilog=_EXITS)
def measures(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only measures whose name contains this.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    List the measures that a model may weigh, each with its KPI, unit, window, sources and needs.

    \b
    Examples:
      bellbuoy model measures
      bellbuoy model measures support
    """
    from bellbuoy.render.measures import as_data, as_lines
    from processors.measures import MEASURES

    named = [measure for measure in MEASURES.values() if (name or "") in measure.name]
    if not named:
        raise typer.BadParameter(f"no measure has {name!r} in its name; `bellbuoy model measures` lists them")
    emit(as_data(named), list(as_lines(named)), as_json)


def _summary(model: Any) -> str:
    plan = model.plan
    groups = {term.group for term in (*plan.terms, *plan.informs)} - {""}
    counts = (("measure", plan.terms), ("group", groups), ("cap", plan.caps), ("band", plan.bands.names))
    parts = [f"{len(items)} {name}{'' if len(items) == 1 else 's'}" for name, items in counts]
    if plan.informs:
        parts.insert(1, f"{len(plan.informs)} more that inform")
    parts += [f"variant {variant.plan.variant}" for variant in model.variants]
    return f"model {model.name} {model.version}: {', '.join(parts)}"
