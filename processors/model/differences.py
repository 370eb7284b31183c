"""Differences between two models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from processors.model.model import Model
from processors.model.plan.plan import Plan

__all__ = ["Difference", "differences"]

_COMPARED_WHOLE = {"curve", "bands", "fade", "tenants"}
"""Parts of a model that are compared and shown as one value."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A key whose value differs, as text of the file; ``None``: it isn't there."""

    where: str
    before: str | None
    after: str | None


def differences(before: Model, after: Model) -> list[Difference]:
    """
    Return the measures' shares of the score that differ, in points of 100, then the keys that differ.

    A measure's share can differ though none of its keys does: weights are relative to their neighbours.
    """
    old, new = (dict(_flat(json.loads(model.text), "")) for model in (before, after))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    differing = []
    plans, others = _plans(before), _plans(after)
    for variant in plans.keys() & others.keys():
        shares, changed = _shares(plans[variant]), _shares(others[variant])
        where = f"variants.{variant}.share of " if variant else "share of "
        differing += [
            Difference(f"{where}{name}", shares.get(name), changed.get(name))
            for name in {**shares, **changed}
            if shares.get(name) != changed.get(name)
        ]
    return differing + [Difference(key, old.get(key), new.get(key)) for key in keys]


def _flat(data: Any, where: str) -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        path = f"{where}.{key}" if where else key
        if isinstance(value, dict) and value and key not in _COMPARED_WHOLE:
            yield from _flat(value, path)
        else:
            yield path, json.dumps(value, ensure_ascii=False)


def _plans(model: Model) -> dict[str, Plan]:
    return {plan.variant: plan for plan in (model.plan, *(variant.plan for variant in model.variants))}


def _shares(plan: Plan) -> dict[str, str]:
    return {term.name: f"{term.weight:.1f}" for term in plan.terms}
