"""Loader of a model: the text of a model file as a ``Model``, or every fault in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from processors.measures import MEASURES, MeasureDefinition
from processors.model.file.format import AppliesSpec, BodySpec, ModelSpec, VariantSpec
from processors.model.file.validation import validated
from processors.model.file.variants import idle_removals, origin, patched
from processors.model.file.version import canonical_text, version_of
from processors.model.model import Applies, Model, Variant
from processors.model.plan.account_facts import ACCOUNT_FACTS, Fact
from processors.model.plan.own import RESERVED, own_facts, own_measures
from processors.model.plan.planner import condition, make_plan
from schemas.checked_files.faults import Fault, FaultyFileError, NoDocumentError
from schemas.checked_files.reader import Document, Path, read
from schemas.identity.keys import valid_tenant

__all__ = ["Checked", "ModelError", "check_model", "load_model"]

_LARGEST = 1e15


class ModelError(FaultyFileError):
    """
    A model file can't be used; the message lists every fault with its line, column and fix.

    Operator action: correct the named lines; ``bellbuoy model check FILE`` lists what is still wrong.
    """

    subject = "the model"


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of a check: the model unless there are faults, and the warnings in any case."""

    model: Model | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load_model(
    text: str, measures: Mapping[str, MeasureDefinition] = MEASURES, *, accepted: bool = False
) -> Model:
    """
    Return the model in a model file's text; raise ModelError, which lists every fault with its line.

    A text that is ``accepted`` passed the checks of the build that put it in force; it isn't refused for what
    was no fault then.
    """
    checked = check_model(text, measures, accepted=accepted)
    if checked.model is None:
        raise ModelError(checked.faults)
    return checked.model


def check_model(
    text: str, measures: Mapping[str, MeasureDefinition] = MEASURES, *, accepted: bool = False
) -> Checked:
    """Return the model in a model file's text, or every fault in it; ``accepted`` as in ``load_model``."""
    try:
        document = read(text)
    except NoDocumentError as error:
        return Checked(None, error.faults, ())
    loader = _Loader(document, measures, accepted)
    model = loader.model()
    faults = sorted(dict.fromkeys(loader.faults))
    warnings = tuple(fault for fault in faults if fault.warning)
    faults = [fault for fault in faults if not fault.warning]
    return Checked(None if faults else model, tuple(faults), warnings)


@dataclass(slots=True)
class _Loader:
    document: Document
    measures: Mapping[str, MeasureDefinition]
    accepted: bool
    faults: list[Fault] = field(default_factory=list)
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def model(self) -> Model | None:
        data = self.document.data
        self.faults.extend(self.document.faults)
        spec, faults = validated(ModelSpec, data, self.document.marks.fault)
        self.faults.extend(faults)
        if spec is None:
            return None
        own = own_measures(spec.own)
        self.measures = {**self.measures, **own}
        self.facts = {**ACCOUNT_FACTS, **own_facts(spec.own, own)}
        self._check_sizes(data, ())
        for name in RESERVED.intersection(spec.own):
            self._report(("own", name), f"{name} is a word of conditions", "choose another name", late=True)
        plan = make_plan(spec, self.measures, self.facts, "", self._report, whole=not faults)
        applies = None if spec.applies is None else self._applies(spec.applies, ("applies",))
        self._priorities(spec)
        variants = [self._variant(name, variant) for name, variant in spec.variants.items()]
        if plan is None or None in variants or self._faulty():
            return None
        text = canonical_text(data)
        return Model(
            name=spec.model,
            version=version_of(spec.version, text),
            text=text,
            applies=applies,
            plan=plan,
            variants=tuple(sorted((v for v in variants if v is not None), key=lambda v: -v.applies.priority)),
            own=spec.own,
        )

    def _faulty(self) -> bool:
        return any(not fault.warning for fault in self.faults)

    def _variant(self, name: str, variant: VariantSpec) -> Variant | None:
        data, marks = self.document.data, self.document.marks
        applies = self._applies(variant, ("variants", name))
        of_the_model = set(self.faults)

        def at(path: Path, message: str, fix: str, *, warning: bool = False) -> Fault:
            fault = marks.fault(path, message, fix, warning=warning)
            if fault in of_the_model:
                return fault  # reported already, and not caused by the variant
            return marks.fault(origin(data, name, path), message, fix, warning=warning)

        def report(path: Path, message: str, fix: str, *, warning: bool = False, late: bool = False) -> None:
            if not (late and self.accepted):
                self.faults.append(at(path, message, fix, warning=warning))

        for path, message, fix in idle_removals(data, name):
            self._report(path, message, fix, late=True)
        body, faults = validated(BodySpec, patched(data, name), at)
        self.faults.extend(faults)
        if body is None:
            return None
        plan = make_plan(body, self.measures, self.facts, name, report, whole=not faults)
        return None if plan is None else Variant(applies, plan)

    def _report(
        self, path: Path, message: str, fix: str, *, warning: bool = False, late: bool = False
    ) -> None:
        if not (late and self.accepted):
            self.faults.append(self.document.marks.fault(path, message, fix, warning=warning))

    def _applies(self, spec: AppliesSpec | VariantSpec, path: Path) -> Applies:
        at: Path = (*path, "when")
        when = (
            None if spec.when is None else condition(spec.when, self.measures, self.facts, at, self._report)
        )
        if when is not None and when.measures:
            message = f"the measure {when.measures[0]} can't choose accounts"
            self._report(at, message, "ask account.* and own.* facts; caps may ask measures")
        tenants = spec.tenants if isinstance(spec, AppliesSpec) else None
        for place, tenant in enumerate(tenants or ()):
            if not valid_tenant(tenant):
                fix = "write 1-63 of a-z, 0-9, _ and -; for every tenant leave `tenants` out"
                self._report(
                    ("applies", "tenants", place), f"{tenant!r:.40} is no tenant's name", fix, late=True
                )
        until = spec.until if isinstance(spec, VariantSpec) else None
        return Applies(spec.priority, None if tenants is None else frozenset(tenants), when, until)

    def _check_sizes(self, value: Any, path: Path) -> None:
        """Report every number that is too large to be reckoned with."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self._check_sizes(inner, (*path, key))
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                self._check_sizes(inner, (*path, place))
        elif isinstance(value, float) and _LARGEST < abs(value) < math.inf:
            fix = f"write one from -{_LARGEST:g} to {_LARGEST:g}"
            self._report(path, f"the number {value:g} is too large", fix, late=True)

    def _priorities(self, spec: ModelSpec) -> None:
        taken: dict[int, str] = {}
        for name, variant in spec.variants.items():
            other = taken.setdefault(variant.priority, name)
            if other != name:
                self._report(
                    ("variants", name, "priority"),
                    f"the same priority as {other}",
                    "give each variant its own: of those that apply the highest wins",
                )
