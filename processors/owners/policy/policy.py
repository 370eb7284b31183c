"""Policy of a tenant's owners as values; ``processors.owners.policy.loading`` reads it from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from processors.owners.policy.local_time import Hours
from schemas.times import HOUR, MINUTE

__all__ = ["MANAGER", "Absence", "EscalationStep", "Maintenance", "PersonPolicy", "Policy", "Storms"]

MANAGER = "manager"
"""In an escalation step: the manager of whoever was told before."""

_MAX_SUBSTITUTES = 8
"""Substitutes of substitutes that are asked; then the default recipient is told."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which a person is away, UTC milliseconds, and who stands in; ``None``: the fallback."""

    begins: int
    ends: int
    substitute: str | None = None


@dataclass(frozen=True, slots=True)
class PersonPolicy:
    """
    A recipient of notifications.

    ``budget`` bounds the notifications a day that are sent at once, but for critical ones. The digest comes
    at ``digest_at``, a minute of the day, on working days.
    """

    name: str = ""
    hours: Hours = field(default_factory=Hours)
    budget: int = 10
    digest_at: int = 8 * 60
    manager: str | None = None
    away: tuple[Absence, ...] = ()


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """A step: after so many milliseconds without acknowledgement, tell a name, or the ``MANAGER``."""

    after: int
    to: str


@dataclass(frozen=True, slots=True)
class Storms:
    """
    The limits of one incident: so many accounts, and so large a share of all, within a time.

    It has ended when no further account came for ``quiet``. Each alert waits for ``wait``, to see whether it
    is alone. Times are in milliseconds.
    """

    accounts: int = 20
    share: float = 0.1
    within: int = 10 * MINUTE
    quiet: int = 15 * MINUTE
    wait: int = 5_000


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A time in which nobody is told anything, UTC milliseconds."""

    begins: int
    ends: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """
    The policy of a tenant: who is told of an alert, when, and how much a day.

    ``everybody`` has what holds for people who are not among ``people``. ``fallback`` is who is told of an
    account without owner, by ``segments`` first. Alerts of the severities in ``digest_only``, and those older
    than ``late_after`` when they arrive, wait for a digest, which lists ``digest_alerts`` at most.
    ``escalation`` has the steps by severity. Incidents of our own go to ``incidents``.
    """

    name: str = "default"
    version: str = ""
    text: str = ""
    everybody: PersonPolicy = field(default_factory=PersonPolicy)
    people: Mapping[str, PersonPolicy] = field(default_factory=dict)
    fallback: str = "customer-success"
    segments: Mapping[str, str] = field(default_factory=dict)
    incidents: str = "sre"
    digest_only: frozenset[str] = frozenset()
    digest_alerts: int = 20
    late_after: int = 6 * HOUR
    escalation: Mapping[str, tuple[EscalationStep, ...]] = field(default_factory=dict)
    storms: Storms = field(default_factory=Storms)
    maintenance: tuple[Maintenance, ...] = ()

    def person(self, name: str) -> PersonPolicy:
        """Return what holds for a person."""
        known = self.people.get(name)
        return replace(self.everybody, name=name) if known is None else known

    def stand_in(self, name: str, now: int) -> str:
        """Return who is told at *now* in place of a person: that person, or a substitute who is not away."""
        asked = {name}
        for _ in range(_MAX_SUBSTITUTES):
            absence = self.absence(name, now)
            if absence is None:
                return name
            name = absence.substitute or self.fallback
            if name in asked:
                break
            asked.add(name)
        return self.fallback

    def absence(self, name: str, now: int) -> Absence | None:
        """Return the absence of a person at *now*, if there is one."""
        return next((one for one in self.person(name).away if one.begins <= now < one.ends), None)

    def window(self, now: int) -> Maintenance | None:
        """Return the maintenance window that *now* is in, of several the one that ends last."""
        windows = [one for one in self.maintenance if one.begins <= now < one.ends]
        return max(windows, key=lambda one: one.ends, default=None)
