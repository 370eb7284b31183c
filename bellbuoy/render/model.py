"""Tables and text about a health model, and about what it makes of an account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bellbuoy.query.trial import Trial
from bellbuoy.render.explanation import informing_table, score_table
from processors.model import Model
from processors.model.plan.plan import Plan
from processors.scoring.score import settle
from processors.state.account import State

__all__ = ["render_model", "render_trial", "trial_data"]


def render_model(model: Model) -> RenderableType:
    """Return all parts of a model for people: measures, caps, bands and variants."""
    data: dict[str, Any] = orjson.loads(model.text)
    parts: list[RenderableType] = [Text(f"{model.name} {model.version}", style="bold")]
    if about := data.get("about"):
        parts.append(Text(about))
    parts += [_measures(model.plan, data), *_caps(data), *_bands(model.plan, data), *_variants(data)]
    return Group(*parts)


def render_trial(trial: Trial) -> RenderableType:
    """Return the result of a trial for people."""
    verdict = trial.verdict
    return Group(
        score_table(verdict.measures, verdict.adjustments, verdict.caps),
        *informing_table(trial.informing),
        Text("\n".join(_summary(trial))),
    )


def trial_data(trial: Trial) -> dict[str, Any]:
    """Return the result of a trial for programs."""
    verdict = trial.verdict
    builtins: dict[str, Any] = msgspec.to_builtins(
        {
            "score": verdict.score / 100,
            "scale": verdict.plan.scale,
            "band": verdict.plan.bands.severity(settle(verdict, State(), 0).band),
            "label": verdict.plan.bands.label(settle(verdict, State(), 0).band),
            "coverage": verdict.coverage,
            "churn_probability": verdict.plan.churn_probability(verdict.score),
            "variant": verdict.plan.variant,
            "measures": [*verdict.measures, *trial.informing],
            "adjustments": verdict.adjustments,
            "caps": verdict.caps,
            "reasons": verdict.reasons,
            "doubts": [*verdict.doubts, *trial.doubts],
        }
    )
    return builtins


def _summary(trial: Trial) -> Iterator[str]:
    verdict = trial.verdict
    plan, band = verdict.plan, settle(verdict, State(), 0).band
    label = plan.bands.label(band)
    own = f", {verdict.score * plan.scale / 10_000:g} of {plan.scale:g}" if plan.scale != 100 else ""
    severity = plan.bands.severity(band)
    worded = severity.replace("_", " ") + (f" ({label})" if label else "")
    yield f"{verdict.score / 100:g} of 100{own}: {worded}"
    yield f"{verdict.coverage:.0%} of the weights are known, {plan.min_coverage:.0%} are needed for a band"
    if (chance := plan.churn_probability(verdict.score)) is not None and band != "unknown":
        yield f"{chance:.1%} leave within 90 days at such a score, as calibrated"
    for doubt in verdict.doubts:
        yield f"the band is unknown, because a cap can't be judged: {doubt}"
    for doubt in trial.doubts:
        yield f"not applied: {doubt}"
    if plan.variant:
        yield f"variant {plan.variant}"


def _measures(plan: Plan, data: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, justify in (("Group", "left"), ("Measure", "left"), ("Share", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("Unit")
    table.add_column("Score by value")
    for term in plan.terms:
        spec = data["measures"][term.name]
        texts = [_curve(spec["curve"]), *_options(spec)]
        table.add_row(term.group, term.name, f"{term.weight:.1f} %", term.unit, Text("; ".join(texts)))
    for term in plan.informs:
        spec = data["measures"][term.name]
        texts = [*([_curve(spec["curve"])] if "curve" in spec else []), *_options(spec)]
        table.add_row(term.group, term.name, "informs", term.unit, Text("; ".join(texts)), style="dim")
    return table


def _curve(curve: Mapping[str, Any]) -> str:
    if "grid" in curve:
        rows = (f"{_range(row)} {row['scores']}" for row in curve["grid"]["rows"])
        columns = ", ".join(map(_range, curve["grid"]["columns"]))
        return f"by {curve['grid']['by']} ({columns}): {'; '.join(rows)}"
    if "steps" in curve:
        return ", ".join(f"{_range(step)} → {step['score']:g}" for step in curve["steps"])
    outside = f", outside → {curve['outside']:g}" if "outside" in curve else ""
    return ", ".join(f"{value:g} → {score:g}" for value, score in curve["points"]) + outside


def _range(edge: Mapping[str, Any]) -> str:
    if "below" in edge:
        return f"below {edge['below']:g}"
    return f"up to {edge['up_to']:g}" if "up_to" in edge else "above"


def _options(spec: Mapping[str, Any]) -> Iterator[str]:
    if "measure" in spec:
        yield f"counts {spec['measure']}"
    if "stale_after" in spec:
        yield f"stale after {spec['stale_after']}"
    if "forget_after" in spec:
        yield f"forgotten after {spec['forget_after']}"
    if "fade" in spec:
        yield f"fades toward {spec['fade']['toward']:g} by half every {spec['fade']['half_life']}"
    if "if_unknown" in spec:
        yield f"{spec['if_unknown']:g} while not known"


def _caps(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    for name, cap in data.get("caps", {}).items():
        tests = " and ".join(
            f"{test.replace('_', ' ')} {cap[test]:g}"
            for test in ("above", "at_least", "below", "at_most")
            if test in cap
        )
        more = [f"when {cap['when']}"] if "when" in cap else []
        more += [f"for {cap['lasts']}"] if "lasts" in cap else []
        more += [f"until {cap['until']}"] if "until" in cap else []
        conditions = ", ".join([f"{cap['measure']} is {tests}", *more])
        yield Text(f"cap {name}: at most {cap['limit']:g} while {conditions}")


def _bands(plan: Plan, data: Mapping[str, Any]) -> Iterator[RenderableType]:
    ranges = (f"{_range(band)} {band.get('label', band['band'].replace('_', ' '))}" for band in data["bands"])
    margin = data.get("hysteresis", {}).get("margin", 0)
    yield Text(f"bands: {', '.join(ranges)}" + (f"; better ones {margin:g} later" if margin else ""))
    yield Text(f"unknown with less than {plan.min_coverage:.0%} of the weights known")
    if points := data.get("churn_probability"):
        chances = ", ".join(f"{score:g} → {chance:.1%}" for score, chance in points)
        yield Text(f"churn within 90 days by score: {chances}")


def _variants(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    variants = sorted(data.get("variants", {}).items(), key=lambda item: -item[1]["priority"])
    for name, variant in variants:
        changed = [
            f"{section}.{key}" if isinstance(variant[section], dict) else section
            for section in ("score", "groups", "measures", "caps", "hysteresis", "bands", "min_coverage")
            for key in (variant.get(section) if isinstance(variant.get(section), dict) else [""])
            if section in variant
        ]
        until = f" until {variant['until']}" if "until" in variant else ""
        yield Text(
            f"variant {name} (priority {variant['priority']}): when {variant['when']}{until}; "
            f"changes {', '.join(changed)}"
        )
