"""Loader of a policy: the text of a policy file as a ``Policy``, or every fault in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from processors.model.file.validation import validated
from processors.model.file.version import canonical_text, version_of
from processors.owners.policy.format import (
    DAYS,
    FORM,
    AbsenceSpec,
    EverybodySpec,
    PersonSpec,
    PolicySpec,
    WindowSpec,
)
from processors.owners.policy.local_time import EVERY_DAY, Hours, zone
from processors.owners.policy.policy import Absence, EscalationStep, Maintenance, PersonPolicy, Policy, Storms
from schemas.checked_files.faults import Fault, FaultyFileError, NoDocumentError
from schemas.checked_files.reader import Document, Path, read

__all__ = ["CheckedPolicy", "PolicyError", "check_policy", "load_policy"]


class PolicyError(FaultyFileError):
    """
    A policy file can't be used; the message lists every fault with its line, column and fix.

    Operator action: correct the named lines; ``bellbuoy owners check FILE`` lists what is still wrong.
    """

    subject = "the policy"


@dataclass(frozen=True, slots=True)
class CheckedPolicy:
    """Result of a check: the policy unless there are faults."""

    policy: Policy | None
    faults: tuple[Fault, ...]


@lru_cache(64)
def load_policy(text: str) -> Policy:
    """Return the policy in a policy file's text; raise PolicyError, which lists every fault with its line."""
    checked = check_policy(text)
    if checked.policy is None:
        raise PolicyError(checked.faults)
    return checked.policy


def check_policy(text: str) -> CheckedPolicy:
    """Return the policy in a policy file's text, or every fault in it."""
    try:
        document = read(text)
    except NoDocumentError as error:
        return CheckedPolicy(None, error.faults)
    loader = _PolicyLoader(document)
    policy = loader.policy()
    faults = tuple(sorted(dict.fromkeys(loader.faults)))
    return CheckedPolicy(None if faults else policy, faults)


@dataclass(slots=True)
class _PolicyLoader:
    document: Document
    faults: list[Fault] = field(default_factory=list)

    def policy(self) -> Policy | None:
        data = self.document.data
        self.faults.extend(self.document.faults)
        spec, faults = validated(PolicySpec, data, self.document.marks.fault, FORM)
        self.faults.extend(faults)
        if spec is None:
            return None
        everybody = _person("", spec.everybody, PersonPolicy())
        self._check_names(spec)
        text = canonical_text(data)
        storms = spec.storms
        return Policy(
            name=spec.policy,
            version=version_of(spec.version, text),
            text=text,
            everybody=everybody,
            people={name: self._known_person(name, one, everybody) for name, one in spec.people.items()},
            fallback=spec.fallback,
            segments=spec.segments,
            incidents=spec.incidents,
            digest_only=frozenset(spec.digest.only),
            digest_alerts=spec.digest.alerts,
            late_after=spec.digest.older_than,
            escalation=self._escalation(spec),
            storms=Storms(storms.accounts, storms.share, storms.within, storms.quiet, storms.wait),
            maintenance=tuple(
                Maintenance(*self._span(window, everybody, ("maintenance", number)), window.reason)
                for number, window in enumerate(spec.maintenance)
            ),
        )

    def _check_names(self, spec: PolicySpec) -> None:
        """Report people alike but for their capitals, own managers, and steps to a misspelt `manager`."""
        known: dict[str, str] = {}
        for name, person in spec.people.items():
            other = known.setdefault(name.casefold(), name)
            if other != name:
                fix = "keep the spelling that accounts have as their owner"
                self._fault(("people", name), f"the same name as {other} but for its capitals", fix)
            if person.manager == name:
                fix = "name somebody else, or leave it out"
                self._fault(("people", name, "manager"), f"{name} is the manager of {name}", fix)
        for severity in ("critical", "warning", "notice"):
            for place, step in enumerate(getattr(spec.escalation, severity)):
                if step.to != "manager" and step.to.casefold() == "manager":
                    path: Path = ("escalation", severity, place, "to")
                    self._fault(path, f"nobody is called {step.to}", "write manager")

    def _known_person(self, name: str, spec: PersonSpec, everybody: PersonPolicy) -> PersonPolicy:
        person = _person(name, spec, everybody)
        away = []
        for number, absence in enumerate(spec.away):
            path: Path = ("people", name, "away", number)
            if absence.substitute == name:
                self._fault((*path, "substitute"), f"{name} stands in for {name}", "name somebody else")
            away.append(Absence(*self._span(absence, person, path), absence.substitute))
        return PersonPolicy(name, person.hours, person.budget, person.digest_at, person.manager, tuple(away))

    def _span(self, spec: WindowSpec | AbsenceSpec, person: PersonPolicy, path: Path) -> tuple[int, int]:
        begins, ends = (_time(at, person.hours.zone) for at in (spec.begins, spec.ends))
        if begins >= ends:
            self._fault((*path, "until"), "ends before it begins", "make it later than `from`")
        return begins, ends

    def _escalation(self, spec: PolicySpec) -> dict[str, tuple[EscalationStep, ...]]:
        chains = {}
        for severity in ("critical", "warning", "notice"):
            steps = getattr(spec.escalation, severity)
            for number, (one, later) in enumerate(pairwise(steps), 1):
                if later.after <= one.after:
                    path: Path = ("escalation", severity, number, "after")
                    self._fault(path, "not later than the step before", "order the steps by `after`")
            chains[severity] = tuple(EscalationStep(step.after, step.to) for step in steps)
        return chains

    def _fault(self, path: Path, message: str, fix: str) -> None:
        self.faults.append(self.document.marks.fault(path, message, fix))


def _person(name: str, spec: EverybodySpec, usual: PersonPolicy) -> PersonPolicy:
    begins, ends = spec.hours or (usual.hours.begins, usual.hours.ends)
    days = usual.hours.days if spec.days is None else frozenset(map(DAYS.index, spec.days))
    hours = Hours(spec.zone or usual.hours.zone, days or EVERY_DAY, begins, ends)
    return PersonPolicy(
        name,
        hours,
        usual.budget if spec.budget is None else spec.budget,
        usual.digest_at if spec.digest_at is None else spec.digest_at,
        spec.manager or usual.manager,
    )


def _time(at: datetime, zone_name: str) -> int:
    aware = at if at.tzinfo else at.replace(tzinfo=zone(zone_name))
    return int(aware.timestamp() * 1000)
