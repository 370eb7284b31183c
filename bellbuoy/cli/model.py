"""`bellbuoy model`: check, explain and compare health models."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer

from bellbuoy.cli.output import emit
from bellbuoy.exit_codes import CONFIGURATION, OK

__all__ = ["model"]

_EXITS = "Exit codes: 0 ok · 2 usage, or a model with faults"
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_File = Annotated[str, typer.Argument(metavar="FILE", help="A model file, or `default`.")]


model = typer.Typer(
    help="Check, explain and compare health models.\n\n"
    "A model is a YAML file that says which measures count and what makes a score, a cap and a band of them; "
    "docs/model.md teaches it, docs/models/ has examples.",
    no_args_is_help=True,
    epilog=_EXITS,
)


@model.command(epilog=_EXITS)
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Model files, or `default`.")],
    together: Annotated[
        bool, typer.Option("--together", help="Check too that they can stand side by side.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """
    Check model files and list every fault with its line, its column and the fix.

    Warnings say where missing data could raise a score; they are allowed.

    \b
    Examples:
      bellbuoy model check health.yaml
      bellbuoy model check --together models/*.yaml
    """
    from bellbuoy.operations.model_files import check_file
    from processors.model import clashes

    checked = {file: check_file(file) for file in files}
    lines, data, count = [], [], 0
    for file, found in checked.items():
        faults = (*found.faults, *found.warnings)
        count += len(found.faults)
        lines += [f"{file}:{fault}" for fault in faults]
        if found.model is not None:
            lines.append(f"{file}: {_summary(found.model)}")
        data.append(
            {
                "file": file,
                "model": found.model and found.model.name,
                "version": found.model and found.model.version,
                "faults": [_as_data(fault) for fault in faults],
            }
        )
    models = [found.model for found in checked.values() if found.model is not None]
    clashing = clashes(models) if together else []
    lines += [f"side by side: {clash}" for clash in clashing]
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
        typer.Option("--fact", metavar="NAME=VALUE", help="Score an account of which this is known."),
    ] = None,
    segment: Annotated[str | None, typer.Option(help="The account's segment.")] = None,
    stage: Annotated[str | None, typer.Option(help="The account's lifecycle stage.")] = None,
    as_json: _Json = False,
) -> None:
    """
    Explain a model in words, or what it makes of an account.

    With --fact, --segment or --stage an account is scored of which nothing else is known.

    \b
    Examples:
      bellbuoy model explain default
      bellbuoy model explain health.yaml --fact usage.drop=0.4 --fact support.urgent=60
      bellbuoy model explain health.yaml --stage onboarding
    """
    from rich.console import Console

    from bellbuoy.operations.model_files import load_file
    from bellbuoy.render import model as model_words

    loaded = load_file(file)
    if facts or segment or stage:
        tried = model_words.try_out(loaded, _facts(facts or []), segment=segment, stage=stage)
        data, shown = model_words.trial_data(tried), model_words.trial(tried)
    else:
        data, shown = orjson.loads(loaded.text), model_words.whole(loaded)
    if as_json:
        emit(data, [], as_json=True)
    else:
        Console(soft_wrap=False).print(shown)


@model.command(epilog=_EXITS)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A model file, or `default`.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    as_json: _Json = False,
) -> None:
    """
    Show what differs between two models: keys, and shares of the score.

    \b
    Examples:
      bellbuoy model diff default health.yaml
    """
    from bellbuoy.operations.model_files import load_file
    from processors.model import differences

    old, new = load_file(before), load_file(after)
    found = differences(old, new)
    lines = [f"{old.name} {old.version} → {new.name} {new.version}"]
    for part in found:
        if part.before is None:
            lines.append(f"+ {part.where}: {part.after}")
        elif part.after is None:
            lines.append(f"- {part.where}: {part.before}")
        else:
            lines.append(f"~ {part.where}: {part.before} → {part.after}")
    if not found:
        lines.append("They are the same model.")
    data = [{"where": part.where, "before": part.before, "after": part.after} for part in found]
    emit({"before": old.version, "after": new.version, "differences": data}, lines, as_json)


@model.command(epilog=_EXITS)
def schema() -> None:
    """
    Print the format as JSON Schema, for editors.

    \b
    Examples:
      bellbuoy model schema > model.schema.json
    """
    from processors.model import json_schema

    emit(json_schema(), [], as_json=True)


@model.command(epilog=_EXITS)
def measures(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only those whose name has this in it.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """
    List the measures that a model may weigh: what each measures, its unit, window, sources and needs.

    \b
    Examples:
      bellbuoy model measures
      bellbuoy model measures support
    """
    from bellbuoy.render import measures as measure_words
    from processors.measures import MEASURES

    found = [measured for measured in MEASURES.values() if (name or "") in measured.name]
    if not found:
        raise typer.BadParameter(f"no measure has {name!r} in its name; `bellbuoy model measures` lists them")
    emit(measure_words.data(found), list(measure_words.lines(found)), as_json)


def _facts(given: list[str]) -> dict[str, float]:
    from processors.measures import MEASURES
    from schemas.suggestions import suggestion

    facts = {}
    for item in given:
        name, equals, value = item.partition("=")
        try:
            facts[name] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{item!r}: write NAME=NUMBER, such as usage.drop=0.4") from None
        if name not in MEASURES or not equals:
            raise typer.BadParameter(
                f"no such measure: {name}; {suggestion(name, list(MEASURES), 'docs/measures.md')}"
            )
    return facts


def _summary(found: Any) -> str:
    plan = found.plan
    groups = {term.group for term in (*plan.terms, *plan.informs)} - {""}
    counts = (("measure", plan.terms), ("group", groups), ("cap", plan.caps), ("band", plan.bands.names))
    parts = [f"{len(items)} {name}{'' if len(items) == 1 else 's'}" for name, items in counts]
    if plan.informs:
        parts.insert(1, f"{len(plan.informs)} more that inform")
    parts += [f"variant {variant.plan.variant}" for variant in found.variants]
    return f"model {found.name} {found.version}: {', '.join(parts)}"


def _as_data(fault: Any) -> dict[str, Any]:
    return {
        "line": fault.line,
        "column": fault.column,
        "where": fault.where,
        "message": fault.message,
        "fix": fault.fix,
        "warning": fault.warning,
    }
