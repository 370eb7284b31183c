"""
Format of the policy file, as pydantic models.

The descriptions become the JSON Schema that editors read (``docs/owners.schema.json``). What can be judged
from one key alone is refused here, what needs the rest of the file by ``processors.owners.policy.loading``.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from processors.model.file.validation import FileForm
from processors.model.file.values import Duration, FileSpec, Name, spec_error
from processors.owners.policy.local_time import zone_names
from schemas.checked_files.reader import Path
from schemas.suggestions import suggestion

__all__ = ["DAYS", "FORM", "AbsenceSpec", "PersonSpec", "PolicySpec", "WindowSpec", "policy_json_schema"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_WHOLE_DAY = 24 * 60
_MAX_PEOPLE = 2_000
_MAX_WINDOWS = 200


def _minute(value: object) -> object:
    if isinstance(value, str) and (match := _TIME.fullmatch(value)):
        minute = int(match[1]) * 60 + int(match[2])
        if minute <= _WHOLE_DAY:
            return minute
    raise spec_error(f"{value!r:.40} is no time of the day", "write hours and minutes, such as 08:30")


def _hours(value: object) -> object:
    begins, dash, ends = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not dash:
        raise spec_error(f"{value!r:.40} are no hours", "write two times, such as 09:00-17:30")
    hours = _minute(begins.strip()), _minute(ends.strip())
    if hours[0] >= hours[1]:  # type: ignore[operator]
        raise spec_error(
            f"{value} end before they begin", "write the earlier time first, such as 09:00-17:30"
        )
    return hours


def _when(value: object) -> object:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise spec_error(f"{value!r:.40} is no date", "write it as 2026-12-31 or 2026-12-31T18:00")


def _zone(value: object) -> object:
    if isinstance(value, str) and value not in zone_names():
        raise spec_error(
            f"{value!r:.60} is no time zone", suggestion(value, sorted(zone_names()), "docs/owners.md")
        )
    return value


def _name(value: str) -> str:
    if value != value.strip() or not value:
        raise spec_error(
            f"{value!r:.60} is no name", "write it as accounts have it, without spaces around it"
        )
    return value


def _text(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string"} | schema)


Severity: TypeAlias = Literal["critical", "warning", "notice"]
Who: TypeAlias = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
Zone: TypeAlias = Annotated[str, BeforeValidator(_zone), _text(examples=["Europe/Lisbon"])]
Minute: TypeAlias = Annotated[int, BeforeValidator(_minute), _text(pattern=_TIME.pattern, examples=["08:30"])]
WorkingTime: TypeAlias = Annotated[tuple[int, int], BeforeValidator(_hours), _text(examples=["09:00-17:30"])]
When: TypeAlias = Annotated[
    datetime, BeforeValidator(_when), _text(examples=["2026-12-31", "2026-12-31T18:00"])
]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class WindowSpec(FileSpec):
    """A maintenance window; a time without a zone is in that of `everybody`."""

    begins: When = Field(alias="from", description="When it begins; a date begins at midnight.")
    ends: When = Field(alias="until", description="When it ends; what is said of it comes then.")
    reason: str = Field("", max_length=200, description="Why, for people who read the file.")


class AbsenceSpec(FileSpec):
    """A time in which a person is away; without a zone it is in the person's."""

    begins: When = Field(alias="from", description="When it begins; a date begins at midnight.")
    ends: When = Field(alias="until", description="When the person is back.")
    substitute: Who | None = Field(None, description="Who is told meanwhile; left out: `fallback`.")


class EverybodySpec(FileSpec):
    """The keys of a person; what is left out of a person is as in `everybody`."""

    zone: Zone | None = Field(None, description="The time zone, such as Europe/Lisbon; left out: UTC.")
    hours: WorkingTime | None = Field(
        None, description="Working hours; alerts that are not critical wait for them. Left out: all day."
    )
    days: list[Day] | None = Field(None, min_length=1, description="Working days; left out: all.")
    budget: int | None = Field(
        None, ge=0, le=1_000, description="Alerts a day that are sent at once, but for critical ones; 10."
    )
    digest_at: Minute | None = Field(None, description="When the digest comes on working days; 08:00.")
    manager: Who | None = Field(None, description="Who is told in an escalation to `manager`.")


class PersonSpec(EverybodySpec):
    """A person, by the name that accounts have as their owner."""

    away: list[AbsenceSpec] = Field([], max_length=50, description="Times of absence.")


class DigestSpec(FileSpec):
    """The alerts that wait for the digest, and how many it lists."""

    only: list[Severity] = Field(["notice"], description="Severities that are never sent at once.")
    alerts: int = Field(20, ge=1, le=100, description="Alerts that a digest lists; the rest waits.")
    older_than: Duration = Field(
        6 * 3_600_000, description="An alert that is older when it arrives waits for the digest."
    )


class EscalationStepSpec(FileSpec):
    """A step of an escalation."""

    after: Duration = Field(description="So long after it was sent, if nobody acknowledged it.")
    to: Who = Field(description="Whom to tell: a name, or `manager`.")

    @model_validator(mode="after")
    def _some_time(self) -> EscalationStepSpec:
        if not self.after:
            raise spec_error("a step after no time", "give a time such as 4h")
        return self


class StormSpec(FileSpec):
    """The limits beyond which the alerts of many accounts are one incident of our own."""

    accounts: int = Field(20, ge=2, le=1_000_000, description="So many accounts at least …")
    share: float = Field(0.1, ge=0, le=1, description="… and so large a share of all accounts …")
    within: Duration = Field(600_000, description="… have an alert of one rule within this time.")
    quiet: Duration = Field(900_000, description="It ended when no further account came for so long.")
    wait: Duration = Field(
        5_000, description="Each alert waits so long, to see whether it is alone; 0: not at all."
    )

    @model_validator(mode="after")
    def _fits(self) -> StormSpec:
        if not self.within or not self.quiet:
            raise spec_error("a storm of no time", "give `within` and `quiet` a time such as 10m")
        if self.wait > self.within:
            raise spec_error("wait is longer than within", "make it some seconds")
        return self


class EscalationSpec(FileSpec):
    """The steps of each severity, each later than the one before."""

    critical: list[EscalationStepSpec] = Field([], max_length=5, description="For critical alerts.")
    warning: list[EscalationStepSpec] = Field([], max_length=5, description="For warnings.")
    notice: list[EscalationStepSpec] = Field([], max_length=5, description="For notices.")


class PolicySpec(FileSpec):
    """The policy: who is told of alerts, when, and how much."""

    policy: Name = Field(description="The policy's name.")
    version: int = Field(ge=1, description="Counts its versions.")
    everybody: EverybodySpec = Field(
        EverybodySpec.model_validate({}), description="What holds for every person, unless said below."
    )
    people: dict[Who, PersonSpec] = Field(
        {}, max_length=_MAX_PEOPLE, description="People, by the name that accounts have as their owner."
    )
    fallback: Who = Field("customer-success", description="Who is told of an account that has no owner.")
    segments: dict[str, Who] = Field(
        {}, max_length=200, description="Who is told instead, by the account's segment."
    )
    incidents: Who = Field("sre", description="Who is paged for an incident of our own.")
    digest: DigestSpec = Field(DigestSpec.model_validate({}), description="What waits for the digest.")
    escalation: EscalationSpec = Field(
        EscalationSpec.model_validate({}), description="Whom to tell when nobody acknowledges an alert."
    )
    storms: StormSpec = Field(StormSpec.model_validate({}), description="When many alerts are one incident.")
    maintenance: list[WindowSpec] = Field(
        [], max_length=_MAX_WINDOWS, description="Times in which nobody is told anything."
    )


@cache
def policy_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file, for editors."""
    schema = PolicySpec.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "Bellbuoy owners"}


def _leave_out(data: dict[str, Any], path: Path, missing: bool) -> None:
    """Remove the faulty part, with the list that it is in, so that the search for faults goes on."""
    path = path[:-1] if missing and len(path) > 1 else path
    indices = [at for at, part in enumerate(path) if isinstance(part, int)]
    path = path[: indices[0]] if indices else path
    *above, last = path or ("",)
    holder: Any = data
    for key in above:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return
    if path in {("policy",), ("version",)}:
        holder[last] = {"policy": "unnamed", "version": 1}[str(last)]
    else:
        holder.pop(last, None)


_ELSEWHERE = dict.fromkeys(
    ("channels", "slack", "email", "routes"), "leave it out: channels have settings of their own"
) | dict.fromkeys(("rules", "alerts"), "leave it out: alert rules have a file of their own (docs/rules.md)")

FORM = FileForm(policy_json_schema, "docs/owners.md", _ELSEWHERE, _leave_out)
