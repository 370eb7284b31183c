"""Planner: makes a plan of a model's specification, and reports every fault in it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from processors.measures import USAGE, MeasureDefinition
from processors.model.file.format import BodySpec, CapSpec, MeasureSpec
from processors.model.file.values import stray_brace
from processors.model.plan.account_facts import Fact
from processors.model.plan.bands import compile_bands
from processors.model.plan.condition_types import ConditionFault
from processors.model.plan.conditions import Condition, ConditionError, compile_condition
from processors.model.plan.curves import Curve, compile_curve, scores_by_path, straight_lines
from processors.model.plan.hazards import hazards
from processors.model.plan.plan import CapRule, Fade, Plan, PlanTerm
from processors.model.plan.tree import Tree, build_tree
from schemas.checked_files.reader import Path
from schemas.suggestions import suggestion

__all__ = ["PlanReport", "condition", "make_plan"]

_TESTS: tuple[tuple[str, Callable[[float, float], bool]], ...] = (
    ("above", operator.gt),
    ("at_least", operator.ge),
    ("below", operator.lt),
    ("at_most", operator.le),
)


class PlanReport(Protocol):
    """A function that takes the faults found, each at a path of the file."""

    def __call__(
        self, path: Path, message: str, fix: str, *, warning: bool = False, late: bool = False
    ) -> None:
        """Report one fault, or a warning; a ``late`` fault is one that older builds let pass."""


def make_plan(
    body: BodySpec,
    measures: Mapping[str, MeasureDefinition],
    facts: Mapping[str, Fact],
    variant: str,
    report: PlanReport,
    *,
    whole: bool = True,
) -> Plan | None:
    """
    Return the plan, or ``None`` when a reported fault prevents it.

    A body that isn't ``whole``, because faulty parts were left out, is only searched for more faults.
    """
    return _Planner(body, measures, facts, report).plan(variant, whole=whole)


def condition(
    text: str, measures: Iterable[str], facts: Mapping[str, Fact], path: Path, report: PlanReport
) -> Condition | None:
    """Return the compiled condition, or ``None``, after reporting every fault of it."""
    compiled: Condition | None = None
    faults: tuple[ConditionFault, ...]
    try:
        compiled = compile_condition(text, measures, facts)
        faults = compiled.faults
    except ConditionError as error:
        faults = error.faults
    for message, fix, late in faults:
        report(path, message, fix, late=late)
    return compiled


class _Planner:
    def __init__(
        self,
        body: BodySpec,
        measures: Mapping[str, MeasureDefinition],
        facts: Mapping[str, Fact],
        report: PlanReport,
    ) -> None:
        self._body = body
        self._measures = measures
        self._facts = facts
        self._report = report
        self._reads: dict[str, int] = {}
        self._shows: dict[str, int] = {}
        self._sound = True

    def plan(self, variant: str, *, whole: bool) -> Plan | None:
        body = self._body
        for name, spec in body.measures.items():
            self._check_names(name, spec)
        used = {spec.group for spec in body.measures.values()}
        for group in [name for name in body.groups if whole and name not in used]:
            self._fault(("groups", group), "a group without measures", "give it one or leave it out")
        caps = [self._cap(name, spec) for name, spec in body.caps.items()]
        self._check_edges()
        if not self._sound or not whole:
            return None
        curves = {
            name: compile_curve(spec.curve) for name, spec in body.measures.items() if spec.curve is not None
        }
        for path, hazard, remedy in hazards(body, curves):
            self._report(path, hazard, remedy, warning=True)
        self._check_product()
        tree = build_tree(body, curves)
        self._check_range(tree)
        if not self._sound:
            return None
        counted = [(name, spec) for name, spec in body.measures.items() if not spec.informs]
        terms = [
            self._term(name, spec, curves[name], tree.factors[index], tree.shares[index])
            for index, (name, spec) in enumerate(counted)
        ]
        informs = [
            self._term(name, spec, curves.get(name), Fraction(0), Fraction(0))
            for name, spec in body.measures.items()
            if spec.informs
        ]
        reads = tuple(self._measures[name] for name in self._reads)
        return Plan(
            variant=variant,
            scale=body.score.scale,
            reads=reads,
            terms=tuple(terms),
            informs=tuple(informs),
            groups=tree.groups,
            root=tree.root,
            loose=tree.loose,
            linear=tree.linear,
            timeless=all(term.plain for term in terms) and not any(cap.condition for cap in caps),
            caps=tuple(sorted(caps, key=lambda cap: (cap.limit, cap.name))),
            bands=compile_bands(body.bands, body.hysteresis, body.score.scale),
            min_coverage=body.min_coverage,
            by_usage=tuple((index, read.reads) for index, read in enumerate(reads) if USAGE in read.sources),
            shows=tuple(self._measures[name] for name in self._shows),
            places={read: index for index, read in enumerate(reads)},
            chance=None if body.churn_probability is None else straight_lines(body.churn_probability),
            involuntary=tuple(
                (place, weight)
                for place, (group, weight) in enumerate(
                    zip(tree.groups, tree.root.weights[len(tree.loose) :], strict=True)
                )
                if group.involuntary
            ),
        )

    def _fault(self, path: Path, message: str, fix: str) -> None:
        self._sound = False
        self._report(path, message, fix)

    def _check_names(self, name: str, spec: MeasureSpec) -> None:
        path: Path = ("measures", name)
        self._check_words(path, spec.say)
        times: tuple[tuple[Path, int | None], ...] = (
            ((*path, "stale_after"), spec.stale_after),
            ((*path, "forget_after"), spec.forget_after),
            ((*path, "fade", "window"), spec.fade.window if spec.fade else None),
        )
        for at in [at for at, time in times if time == 0]:
            self._report(at, "no time at all", "give it a time such as 90d, or leave it out", late=True)
        indices = self._indices(spec)
        self._index(spec.measure or name, (*path, "measure") if spec.measure else path, indices)
        if spec.curve is None and not spec.informs:
            self._fault(
                path, "curve is missing", "add `curve: …`, or `weight: 0` to show it without counting"
            )
        if spec.curve is not None and spec.curve.grid is not None:
            self._index(spec.curve.grid.by, (*path, "curve", "grid", "by"), indices)
        if spec.group is not None and spec.group not in self._body.groups:
            groups = list(self._body.groups)
            fix = suggestion(spec.group, groups, "the file's `groups`") if groups else "add it to groups"
            self._fault((*path, "group"), f"no such group: {spec.group}", fix)

    def _indices(self, spec: MeasureSpec) -> dict[str, int]:
        return self._shows if spec.informs else self._reads

    def _index(self, name: str, path: Path, indices: dict[str, int]) -> int:
        """Return the index of a measure among those that the plan reads, or shows; report an unknown one."""
        if name not in self._measures:
            fix = suggestion(name, list(self._measures), "docs/measures.md")
            if name.startswith("own.") and not any(each.startswith("own.") for each in self._measures):
                fix = f"declare it: `own: {{{name.removeprefix('own.')}: {{kind: number}}}}`"
            self._fault(path, f"no such measure: {name}", fix)
            return -1
        return indices.setdefault(name, len(indices))

    def _cap(self, name: str, spec: CapSpec) -> CapRule:
        path: Path = ("caps", name)
        at = self._index(spec.measure, (*path, "measure"), self._reads)
        when = None
        if spec.when is not None:
            when = condition(spec.when, self._measures, self._facts, (*path, "when"), self._report)
            self._sound = self._sound and when is not None
        scale = self._body.score.scale
        if spec.limit > scale:
            fix = "lower it: it would hold nothing down"
            self._fault((*path, "limit"), f"{spec.limit:g} is above the scale of {scale:g}", fix)
        if spec.lasts == 0:
            self._report((*path, "lasts"), "no time at all", "give it a time such as 90d", late=True)
        self._check_test(path, spec)
        self._check_words(path, spec.say)
        return CapRule(
            name=name,
            limit=round(spec.limit * 10_000 / self._body.score.scale),
            at=at,
            test=_test(
                [(test, bound) for name, test in _TESTS if (bound := getattr(spec, name)) is not None]
            ),
            condition=when,
            asks=tuple(
                (read, self._index(read, path, self._reads)) for read in (when.measures if when else ())
            ),
            lasts=spec.lasts,
            until=spec.until,
            lifts_unknown=spec.if_unknown == "lift",
            say=spec.say,
        )

    def _check_test(self, path: Path, spec: CapSpec) -> None:
        """Report a test that no value passes."""
        least, most = (
            next((bound for bound in bounds if bound is not None), None)
            for bounds in ((spec.above, spec.at_least), (spec.below, spec.at_most))
        )
        if least is None or most is None:
            return
        one = spec.at_least is not None and spec.at_most is not None and least == most
        if least >= most and not one:
            self._report(
                path, "no value passes both tests", "swap the bounds, or keep one of them", late=True
            )

    def _check_words(self, path: Path, words: str | None) -> None:
        if words is not None and (brace := stray_brace(words)):
            self._report((*path, "say"), f"a {brace} without its other brace", "write {fact}", late=True)

    def _check_product(self) -> None:
        """Report what doesn't fit into a product: weights beyond 1, and products below another combinator."""
        body = self._body
        whole = body.score.combine == "product"
        products = {name for name, group in body.groups.items() if group.combine == "product"}
        for name, group in body.groups.items():
            if name in products and not whole:
                fix = "add `combine: product` to score, or choose another combine"
                self._fault(("groups", name, "combine"), "a product below another combinator", fix)
            if whole and (group.weight is None or group.weight > 1):
                given = "no weight" if group.weight is None else f"the weight {group.weight:g}"
                fix = "give it a weight from 0 to 1: how much it takes away at its worst"
                self._fault(("groups", name), f"a group with {given} in a product", fix)
        multiplying = [name for name, group in body.groups.items() if group.multiplies is not None]
        for name, group in body.groups.items():
            for key in ("multiplies", "involuntary"):
                if getattr(group, key) and not whole:
                    fix = f"add `combine: product` to score, or leave {key} out"
                    self._fault(("groups", name, key), f"{key} without a product", fix)
        for name in multiplying[1:]:
            fix = f"keep one of them: their measures can share the group {multiplying[0]}"
            self._fault(("groups", name, "multiplies"), "a second group that multiplies", fix)
        for name, spec in body.measures.items():
            inside = whole if spec.group is None else spec.group in products
            if inside and spec.weight > 1:
                fix = "make it 1 or less: how much the measure takes away at its worst"
                self._fault(("measures", name, "weight"), f"the weight {spec.weight:g} in a product", fix)

    def _check_range(self, tree: Tree) -> None:
        score = self._body.score
        low, high = tree.range
        for name in tree.weightless:
            path: Path = ("groups", name) if name else ("score",)
            self._fault(path, "all weights are zero", "give at least one measure a weight")
        if low < -1e-9:
            fix = "raise it to 0, or add `min: 0` to score"
            if not self._blame_curves(lambda value: value < 0, f"the score can fall to {low:g}", fix):
                self._fault(("score",), f"the score can fall to {low:g}", "add `min: 0` to score")
        if high > score.scale + 1e-9:
            rises = f"the score can rise to {high:g} of {score.scale:g}"
            fix = f"lower it to {score.scale:g} or less, or correct `scale` of score"
            if not self._blame_curves(lambda value: value > score.scale, rises, fix):
                fix = f"add `max: {score.scale:g}` to score, or correct `scale`"
                self._fault(("score",), rises, fix)

    def _blame_curves(self, beyond: Callable[[float], bool], message: str, fix: str) -> bool:
        """Report every score of a measure that lies beyond the scale, unless scores are summed."""
        body = self._body
        summed = {name for name, group in body.groups.items() if group.combine == "sum"}
        found = False
        for name, spec in body.measures.items():
            if spec.curve is None or spec.informs or body.score.combine == "sum" or spec.group in summed:
                continue
            scores: list[tuple[Path, float]] = [
                (("curve", *path), value) for path, value in scores_by_path(spec.curve)
            ]
            scores += [] if spec.if_unknown is None else [(("if_unknown",), spec.if_unknown)]
            scores += [] if spec.fade is None else [(("fade", "toward"), spec.fade.toward)]
            for path, value in scores:
                if beyond(value):
                    found = True
                    self._fault(("measures", name, *path), f"{message}: {value:g} here", fix)
        return found

    def _check_edges(self) -> None:
        scale, margin = self._body.score.scale, self._body.hysteresis.margin
        if margin >= scale:
            self._report(
                ("hysteresis", "margin"),
                f"a margin of {margin:g} on a scale of {scale:g}",
                "make it smaller: a band would never get better",
                late=True,
            )
        for index, band in enumerate(self._body.bands):
            end = band.end
            if end is not None and not 0 <= end[0] <= self._body.score.scale:
                self._fault(
                    ("bands", index),
                    f"the edge {end[0]:g} lies outside the scale of {self._body.score.scale:g}",
                    f"put it between 0 and {self._body.score.scale:g}",
                )
        for index, (score, _) in enumerate(self._body.churn_probability or ()):
            if not 0 <= score <= self._body.score.scale:
                self._fault(
                    ("churn_probability", index),
                    f"the score {score:g} lies outside the scale of {self._body.score.scale:g}",
                    f"put it between 0 and {self._body.score.scale:g}",
                )

    def _term(
        self, name: str, spec: MeasureSpec, curve: Curve | None, factor: Fraction, share: Fraction
    ) -> PlanTerm:
        measure, indices = self._measures[spec.measure or name], self._indices(spec)
        fade = None if spec.fade is None else Fade(spec.fade.half_life, spec.fade.toward, spec.fade.window)
        hundredths = float(factor * 10_000 / Fraction(self._body.score.scale))
        by = None if curve is None else curve.by
        options = (spec.round, spec.if_unknown, spec.stale_after, spec.forget_after, fade, spec.say, by)
        return PlanTerm(
            name=name,
            unit=measure.unit,
            group=spec.group or "",
            at=indices[measure.name],
            curve=curve,
            weight=float(share * 100),
            factor=hundredths,
            most=0 if curve is None else round(hundredths * curve.high),
            plain=all(option is None for option in options),
            by=None if by is None else indices[by],
            digits=spec.round,
            if_unknown=spec.if_unknown,
            stale_after=spec.stale_after,
            forget_after=spec.forget_after,
            fade=fade,
            say=spec.say,
        )


def _test(tests: Sequence[tuple[Callable[[float, float], bool], float]]) -> Callable[[float], bool]:
    if len(tests) == 1:
        ((test, bound),) = tests
        return lambda value: test(value, bound)
    if len(tests) == 2:
        (low, least), (high, most) = tests
        return lambda value: low(value, least) and high(value, most)
    return lambda value: all(test(value, bound) for test, bound in tests)
