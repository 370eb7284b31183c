"""Health model: the value that a model file becomes, and the choice of a model for an account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from processors.model.file.own import OwnSpec
from processors.model.plan.conditions import Condition
from processors.model.plan.plan import Plan
from processors.view import View

__all__ = ["Applies", "Model", "Variant", "choose", "clashes"]


@dataclass(frozen=True, slots=True)
class Applies:
    """The accounts that a model or variant is for; ``tenants`` ``None``: every tenant; ``until``: UTC ms."""

    priority: int = 0
    tenants: frozenset[str] | None = None
    condition: Condition | None = None
    until: int | None = None

    def to(self, view: View) -> bool:
        """Tell whether this is for an account; a condition that can't be judged doesn't hold."""
        if self.until is not None and view.now >= self.until:
            return False
        if self.tenants is not None and view.state.tenant not in self.tenants:
            return False
        if self.condition is None:
            return True
        return self.condition.holds(view, {}) is True


@dataclass(frozen=True, slots=True)
class Variant:
    """The plan of a model for some accounts."""

    applies: Applies
    plan: Plan


@dataclass(frozen=True, slots=True)
class Model:
    """
    A named, versioned health model; two models are equal when their texts are.

    ``text`` is canonical (JSON, which is YAML too): without comments and layout, with the measures in the
    order of the file; ``load_model`` of it gives an equal model. ``version`` is the file's number and the
    first characters of the text's SHA-256, so that a file changed without a new number still has a version of
    its own. ``variants`` are sorted by falling priority; ``own`` declares the team's own facts and counters.
    """

    name: str
    version: str
    text: str
    applies: Applies | None
    plan: Plan
    variants: tuple[Variant, ...]
    own: Mapping[str, OwnSpec]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def for_account(self, view: View) -> Plan:
        """Return the plan for an account: that of the variant with the highest priority that is for it."""
        for variant in self.variants:
            if variant.applies.to(view):
                return variant.plan
        return self.plan

    def doubts(self, view: View) -> Iterator[str]:
        """Yield of each variant before the one that is for an account why its condition can't be judged."""
        for variant in self.variants:
            condition = variant.applies.condition
            if condition is not None and condition.holds(view, {}) is None:
                yield f"variant {variant.plan.variant}: {condition.doubt(view, {})}"
            elif variant.applies.to(view):
                return

    def next_change(self, now: int) -> int | None:
        """Return the next time after *now* at which a variant reaches its end date."""
        if not self.variants:
            return None
        ends = [v.applies.until for v in self.variants if v.applies.until is not None]
        return min((end for end in ends if end > now), default=None)


def choose(models: Sequence[Model], view: View) -> Model:
    """
    Return the model for an account: of those that are for it, the one with the highest priority.

    A model without ``applies`` is for all other accounts; raises LookupError when there is none.
    """
    ranked = sorted((m for m in models if m.applies), key=lambda m: -m.applies.priority if m.applies else 0)
    for model in ranked:
        if model.applies is not None and model.applies.to(view):
            return model
    for model in models:
        if model.applies is None:
            return model
    raise LookupError(
        f"no model applies to {view.state.tenant}:{view.state.account_id}, and none is for the rest"
    )


def clashes(models: Sequence[Model]) -> list[str]:
    """Return why these models can't be in force together, each reason with its fix."""
    reasons = []
    names: dict[str, Model] = {}
    priorities: dict[int | None, Model] = {}
    for model in models:
        if names.setdefault(model.name, model) is not model:
            reasons.append(f"two models are named {model.name}; give each its own name")
        priority = None if model.applies is None else model.applies.priority
        other = priorities.setdefault(priority, model)
        if other is not model and priority is None:
            reasons.append(f"{other.name} and {model.name} are both for all the rest; give one `applies`")
        elif other is not model:
            reasons.append(f"{other.name} and {model.name} have the same priority; give each its own")
    return reasons
