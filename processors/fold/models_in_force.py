"""
Models and alert rules in force in a partition: the base ones, and those that entries of the journal added.

An entry puts a model in force for one tenant or for all, as ``live`` (it scores and alerts) or as ``beside``
(a shadow model, which only scores, for comparison). Which live model is for an account is what
``processors.model.choose`` says: models with ``applies`` by priority, else the one for the rest; a tenant's
own model goes before one for all tenants. Entries of one name replace each other, and the newest by
(occurred_at, event id) stays, so that every partition comes to the same models whatever the order in which
entries arrive.

An entry may put a set of alert rules in force instead (``rules``): the newest one of the tenant's own, else
the newest for all, else the base set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec
import xxhash

from processors.model import Model, check_model, choose, load_model
from processors.rules import DEFAULT_RULES, RuleSet, check_rules, loaded_rules
from processors.state.account import Stamp, stamp
from processors.view import View
from schemas.identity.keys import ALL_TENANTS
from schemas.records import ModelChange
from schemas.times import MINUTE

__all__ = [
    "LIVE",
    "POLICY",
    "RESCORE_SPREAD",
    "RULES",
    "SHADOW",
    "EntryKey",
    "InForce",
    "Models",
    "rescore_at",
]

RESCORE_SPREAD = MINUTE
"""After a change of models the accounts are scored anew over this many milliseconds, not all at once."""

EntryKey = tuple[str, str, str]
"""Tenant, role and model name."""

LIVE, SHADOW = "live", "beside"
"""The roles of a model as entries carry them: it scores and alerts, or it only scores, for comparison."""

RULES = "rules"
"""The role of a set of alert rules."""

_ROLES = (LIVE, SHADOW, RULES)

POLICY = "policy"
"""The role of a policy of the owners, which is no model (``processors.fold.policies_in_force``)."""


class InForce(msgspec.Struct, array_like=True, frozen=True):
    """
    Entry that the journal batch ``sequence`` made at ``at``; without ``text`` it was withdrawn.

    Kept in the changelog, so fields are only ever appended.
    """

    tenant: str
    role: str
    name: str
    at: int
    sequence: int
    stamp: Stamp
    author: str
    text: str | None = None

    @property
    def key(self) -> EntryKey:
        """The key under which entries replace each other."""
        return self.tenant, self.role, self.name


class Models:
    """
    Base model, base alert rules and the entries in force.

    An immutable value: ``with_changes`` returns another. A ``fixed`` one takes no changes: the base model
    scores, and the base rules alert, whatever the journal brings; with ``fixed_rules`` the rules alone are.
    """

    def __init__(
        self,
        base: Model,
        entries: Mapping[EntryKey, InForce] = {},
        *,
        fixed: bool = False,
        rules: RuleSet = DEFAULT_RULES,
        fixed_rules: bool = False,
    ) -> None:
        self.base = base
        self.base_rules = rules
        self.entries = dict(entries)
        self.fixed = fixed
        self.fixed_rules = fixed_rules
        self._rules: dict[str, RuleSet] = {}
        self._ranked_models: dict[tuple[str, str], tuple[Model, ...]] = {}

    def with_changes(self, changes: Iterable[ModelChange], at: int, sequence: int) -> Models:
        """Return what is in force after the changes that the batch ``sequence`` brought at ``at``."""
        if self.fixed:
            return self
        entries = dict(self.entries)
        for change in changes:
            entry = None if change.role == POLICY else _entry(change, at, sequence)
            if entry is None:
                continue
            before = entries.get(entry.key)
            if before is None or before.stamp < entry.stamp:
                entries[entry.key] = entry
        return self if entries == self.entries else self.with_entries(entries)

    def with_entries(self, entries: Mapping[EntryKey, InForce]) -> Models:
        """Return the same with other entries."""
        return Models(
            self.base, entries, fixed=self.fixed, rules=self.base_rules, fixed_rules=self.fixed_rules
        )

    def of(self, view: View) -> Model:
        """Return the model that scores an account."""
        live = self._in_force(view.state.tenant, LIVE)
        if not live:
            return self.base
        return live[0] if live[0].applies is None else choose(live, view)

    def shadow(self, tenant: str) -> tuple[Model, ...]:
        """Return the shadow models that score a tenant's accounts for comparison, by name."""
        return self._in_force(tenant, SHADOW)

    def rules(self, tenant: str) -> RuleSet:
        """Return the alert rules for a tenant's accounts."""
        if not self.entries or self.fixed_rules:  # nearly always
            return self.base_rules
        rules = self._rules.get(tenant)
        if rules is None:
            entries = [e for e in self.entries.values() if e.role == RULES and e.text is not None]
            mine = [e for e in entries if e.tenant == tenant] or [
                e for e in entries if e.tenant == ALL_TENANTS
            ]
            newest = max(mine, key=lambda entry: entry.stamp, default=None)
            rules = self.base_rules if newest is None else loaded_rules(newest.text or "")
            self._rules[tenant] = rules
        return rules

    def switch(self, tenant: str, *roles: str) -> InForce | None:
        """Return the latest change of a tenant's live models, or of its entries of these roles."""
        wanted, tenants = roles or (LIVE,), (tenant, ALL_TENANTS)
        return max(
            (entry for entry in self.entries.values() if entry.role in wanted and entry.tenant in tenants),
            key=lambda entry: entry.sequence,
            default=None,
        )

    def next_change(self, tenant: str, now: int) -> int | None:
        """Return the next time after *now* at which one of a tenant's models ends by its date."""
        live = self._in_force(tenant, LIVE)
        if not live:
            return None
        ends = [m.applies.until for m in live if m.applies is not None and m.applies.until is not None]
        return min((end for end in ends if end > now), default=None)

    def _in_force(self, tenant: str, role: str) -> tuple[Model, ...]:
        if not self.entries:  # nearly always
            return ()
        models = self._ranked_models.get((tenant, role))
        if models is None:
            models = self._ranked_models[tenant, role] = self._ranked(tenant, role)
        return models

    def _ranked(self, tenant: str, role: str) -> tuple[Model, ...]:
        """Return a tenant's models, the one for the rest last, each name and the rest once."""
        entries = [e for e in self.entries.values() if e.role == role and e.text is not None]
        own = [entry for entry in entries if entry.tenant == tenant]
        shared = [entry for entry in entries if entry.tenant == ALL_TENANTS]
        ranked = [
            _load(entry.text or "")
            for group in (own, shared)
            for entry in sorted(group, key=lambda entry: entry.stamp, reverse=True)
        ]
        if role == SHADOW:
            by_name = {model.name: model for model in reversed(ranked)}
            return tuple(by_name[name] for name in sorted(by_name))
        if not ranked:
            return ()
        special = [model for model in ranked if model.applies is not None]
        rest = next((model for model in ranked if model.applies is None), self.base)
        return (*special, rest)


def rescore_at(models: Models, key: bytes, sequence: int) -> int | None:
    """Return when an account that the batch ``sequence`` judged last is to be judged with newer entries."""
    if not models.entries:
        return None
    tenant = key.partition(b":")[0].decode()
    switch = models.switch(tenant, LIVE, RULES)
    if switch is None or sequence >= switch.sequence:
        return None
    return switch.at + xxhash.xxh32_intdigest(key) % RESCORE_SPREAD


def _entry(change: ModelChange, at: int, sequence: int) -> InForce | None:
    """Return the entry that a change makes; ``None`` for a text that is no model, or are no rules."""
    name, text = change.name, change.text
    if text is not None and change.role == RULES:
        rules = check_rules(text).rules
        if rules is None:
            return None
        name, text = rules.name, rules.text
    elif text is not None:
        checked = check_model(text, accepted=True)
        if checked.model is None:
            return None
        name, text = checked.model.name, checked.model.text
    role = change.role if change.role in _ROLES else LIVE
    when = stamp(change.occurred_at, change.event_id)
    return InForce(change.tenant, role, name, at, sequence, when, change.author, text)


@lru_cache(256)
def _load(text: str) -> Model:
    return load_model(text, accepted=True)
