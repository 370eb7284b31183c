"""
Policies in force in a partition: the base policy, and those that entries of the journal put in its place.

The newest entry of a tenant goes before the newest for all tenants, by (occurred_at, event id), so that every
partition comes to the same policy whatever the order in which entries arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from processors.fold.models_in_force import POLICY, InForce
from processors.owners.policy import DEFAULT_POLICY, Policy, check_policy, load_policy
from processors.state.account import stamp
from schemas.identity.keys import ALL_TENANTS
from schemas.records import ModelChange

__all__ = ["Policies"]


class Policies:
    """Base policy and the entries by tenant; an immutable value, ``with_changes`` returns another."""

    def __init__(self, base: Policy = DEFAULT_POLICY, entries: Mapping[str, InForce] = {}) -> None:
        self.base = base
        self.entries = dict(entries)

    def with_changes(self, changes: Iterable[ModelChange], at: int, sequence: int) -> Policies:
        """Return what is in force after the changes that the batch ``sequence`` brought at ``at``."""
        entries = dict(self.entries)
        for change in changes:
            policy = None if change.text is None else check_policy(change.text).policy
            if change.role != POLICY or (policy is None and change.text is not None):
                continue  # a text that is no policy, which no command sends
            when = stamp(change.occurred_at, change.event_id)
            before = entries.get(change.tenant)
            if before is None or before.stamp < when:
                name, text = (change.name, None) if policy is None else (policy.name, policy.text)
                entries[change.tenant] = InForce(
                    change.tenant, POLICY, name, at, sequence, when, change.author, text
                )
        return self if entries == self.entries else Policies(self.base, entries)

    def of(self, tenant: str) -> Policy:
        """Return the policy of a tenant's owners."""
        for name in (tenant, ALL_TENANTS):
            entry = self.entries.get(name)
            if entry is not None and entry.text is not None:
                return load_policy(entry.text)
        return self.base
