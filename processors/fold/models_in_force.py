"""
The health models in force in a partition: the base model, and what entries of the journal put beside it.

An entry puts a model in force for one tenant or for all, to score and alert (``live``) or to score only, for
comparison (``beside``). Which of the live ones is for an account is what ``processors.model.choose`` says:
those with ``applies`` by priority, else the one for the rest; a tenant's own goes before one for all.
Entries of one name replace each other, the newest by (occurred_at, event id) stays, so that every partition
comes to the same whatever the order in which it heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec
import xxhash

from processors.measures import View
from processors.model import Model, check_model, choose, load_model
from processors.state.account import Stamp, stamp
from schemas.identity.keys import ALL_TENANTS
from schemas.records import ModelChange
from schemas.times import MINUTE

__all__ = ["RESCORE_SPREAD", "InForce", "Models", "Name", "rescore_at"]

RESCORE_SPREAD = MINUTE
"""After a change the accounts are scored anew within so many milliseconds, not all at once."""

Name = tuple[str, str, str]
"""Tenant, role and model name."""


class InForce(msgspec.Struct, array_like=True, frozen=True):
    """
    A model put in force by the journal batch ``sequence`` at ``at``; no ``text``: it was withdrawn.

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
    def key(self) -> Name:
        """What it replaces and is replaced by."""
        return self.tenant, self.role, self.name


class Models:
    """
    A base model and the entries in force; it never changes, ``with_changes`` gives another.

    A ``fixed`` one takes no changes: the base model scores whatever the journal says.
    """

    def __init__(self, base: Model, entries: Mapping[Name, InForce] = {}, *, fixed: bool = False) -> None:
        self.base = base
        self.entries = dict(entries)
        self.fixed = fixed
        self._known: dict[tuple[str, str], tuple[Model, ...]] = {}

    def with_changes(self, changes: Iterable[ModelChange], at: int, sequence: int) -> Models:
        """Return what is in force after the changes that the batch ``sequence`` brought at ``at``."""
        if self.fixed:
            return self
        entries = dict(self.entries)
        for change in changes:
            entry = _entry(change, at, sequence)
            if entry is None:
                continue
            before = entries.get(entry.key)
            if before is None or before.stamp < entry.stamp:
                entries[entry.key] = entry
        return self if entries == self.entries else Models(self.base, entries)

    def of(self, view: View) -> Model:
        """Return the model that scores an account."""
        live = self._in_force(view.state.tenant, "live")
        if not live:
            return self.base
        return live[0] if live[0].applies is None else choose(live, view)

    def beside(self, tenant: str) -> tuple[Model, ...]:
        """Return the models that score a tenant's accounts for comparison, by name."""
        return self._in_force(tenant, "beside")

    def switch(self, tenant: str) -> InForce | None:
        """Return the latest change of a tenant's live models."""
        found = [e for e in self.entries.values() if e.role == "live" and e.tenant in (tenant, ALL_TENANTS)]
        return max(found, key=lambda entry: entry.sequence, default=None)

    def next_change(self, tenant: str, now: int) -> int | None:
        """Return the next time after *now* at which one of a tenant's models ends by its date."""
        live = self._in_force(tenant, "live")
        if not live:
            return None
        ends = [m.applies.until for m in live if m.applies is not None and m.applies.until is not None]
        return min((end for end in ends if end > now), default=None)

    def _in_force(self, tenant: str, role: str) -> tuple[Model, ...]:
        if not self.entries:  # nearly always
            return ()
        known = self._known.get((tenant, role))
        if known is None:
            known = self._known[tenant, role] = self._ranked(tenant, role)
        return known

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
        if role == "beside":
            named = {model.name: model for model in reversed(ranked)}
            return tuple(named[name] for name in sorted(named))
        if not ranked:
            return ()
        special = [model for model in ranked if model.applies is not None]
        rest = next((model for model in ranked if model.applies is None), self.base)
        return (*special, rest)


def rescore_at(models: Models, key: bytes, sequence: int) -> int | None:
    """Return when an account that the batch ``sequence`` judged last is to be scored with a newer model."""
    if not models.entries:
        return None
    tenant = key.partition(b":")[0].decode()
    switch = models.switch(tenant)
    if switch is None or sequence >= switch.sequence:
        return None
    return switch.at + xxhash.xxh32_intdigest(key) % RESCORE_SPREAD


def _entry(change: ModelChange, at: int, sequence: int) -> InForce | None:
    """Return the entry a change makes; ``None`` for a text that is no model, which no door lets in."""
    name, text = change.name, change.text
    if text is not None:
        checked = check_model(text)
        if checked.model is None:
            return None
        name, text = checked.model.name, checked.model.text
    role = "beside" if change.role == "beside" else "live"
    when = stamp(change.occurred_at, change.event_id)
    return InForce(change.tenant, role, name, at, sequence, when, change.author, text)


@lru_cache(256)
def _load(text: str) -> Model:
    return load_model(text)
