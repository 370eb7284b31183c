"""
Format of the rule file, as pydantic models.

The descriptions become the JSON Schema that editors read (``docs/rules.schema.json``). What can be judged
from one key alone is refused here, what needs the rest of the file by ``processors.rules.loading``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from processors.model.file.own import OwnSpec
from processors.model.file.validation import FileForm
from processors.model.file.values import NAME, Condition, Duration, FileSpec, Name, OwnName, spec_error
from schemas.checked_files.reader import Path

__all__ = ["FORM", "MAX_RULES", "RuleSpec", "RulesSpec", "TierSpec", "rules_json_schema"]

MAX_RULES = 100
"""Rules in a file; one with more is refused."""

_MOST_OPENINGS = 10
_PLACEHOLDER = re.compile(r"\{[a-z][^{}]*\}")


def _plain(text: str) -> str:
    if found := _PLACEHOLDER.search(text):
        raise spec_error(f"an action shows no values: {found[0]}", "write it in `title` or `reason`")
    return text


Severity: TypeAlias = Literal["critical", "warning", "notice"]
Lane: TypeAlias = Literal[
    "churn_risk", "billing", "onboarding", "renewal", "champion", "support", "expansion", "outage"
]
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=120)]
Action: TypeAlias = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_plain)]
Sentence: TypeAlias = Annotated[str, Field(min_length=1, max_length=400)]


class TierSpec(FileSpec):
    """One severity of a rule, with the condition under which things are that bad."""

    severity: Severity = Field(description="How bad it is.")
    when: Condition = Field(description="A CEL condition over measures and facts.")
    hold: Duration | None = Field(
        None, alias="for", description="The condition must have held for so long; left out: as in the rule."
    )
    title: Line | None = Field(None, description="The alert in one line; left out: as in the rule.")
    action: Action | None = Field(None, description="What to do next; left out: as in the rule.")


class LimitSpec(FileSpec):
    """The most alerts that a rule may open on one account."""

    alerts: int = Field(ge=1, le=_MOST_OPENINGS, description="So many alerts at most …")
    within: Duration = Field(alias="in", description="… in so much time.")

    @model_validator(mode="after")
    def _some_time(self) -> LimitSpec:
        if not self.within:
            raise spec_error("so many alerts in no time", "give `in` a time such as 90d")
        return self


class RuleSpec(FileSpec):
    """
    An alert rule: the condition that opens an alert on an account, and what the alert says.

    A rule has one severity with `when`, or several in `tiers`.
    """

    title: Line = Field(description="The alert in one line; {name} stands for a measure's or a fact's value.")
    action: Action = Field("", description="What to do next.")
    reason: Sentence | None = Field(
        None, description="The first reason, with {name}s; left out: the sentences of the measures it tells."
    )
    lane: Lane = Field("churn_risk", description="The kind of work that it makes.")
    severity: Severity = Field("warning", description="How bad it is, for a rule with `when`.")
    when: Condition | None = Field(None, description="A CEL condition over measures and facts.")
    tiers: list[TierSpec] | None = Field(
        None, min_length=1, max_length=3, description="Several severities, from the worst to the mildest."
    )
    opens_if: Condition | None = Field(
        None, description="What must hold too for an alert to open; it may get worse without it."
    )
    stays: Condition | None = Field(
        None, alias="while", description="An open alert also stays while this holds."
    )
    hold: Duration = Field(0, alias="for", description="The condition must have held for so long.")
    keep_firing: Duration = Field(0, description="An alert ends once its condition has not held for so long.")
    cooldown: Duration = Field(0, description="No new alert for so long after the last one ended.")
    at_most: LimitSpec | None = Field(None, description="How often it may open on one account.")
    one_of: Name | None = Field(
        None, description="Of the rules with the same word here one alert at a time is open on an account."
    )
    about: Literal["account", "person"] = Field(
        "account", description="person: one alert for each champion and sponsor; then person.* are facts."
    )
    tells: list[Name] | None = Field(
        None,
        description="The measures that its alert tells of, so that a band which is bad for nothing else "
        "opens no alert; left out: those that it reads, unless it reads health.*.",
    )
    resolved: Line = Field("Recovered", description="The title of the alert when it ends by itself.")
    shadow: bool = Field(False, description="Its alerts are only counted; nobody is told.")

    @model_validator(mode="after")
    def _fits(self) -> RuleSpec:
        if (self.when is None) == (self.tiers is None):
            both = "when and tiers at once" if self.when else "neither when nor tiers"
            raise spec_error(both, "write `when` for one severity, `tiers` for several")
        if self.tiers is not None:
            ranks = [("critical", "warning", "notice").index(tier.severity) for tier in self.tiers]
            if ranks != sorted(set(ranks)):
                raise spec_error(
                    "the tiers do not get milder", "order them critical, warning, notice, each once"
                )
        return self


class RulesSpec(FileSpec):
    """A set of Bellbuoy alert rules."""

    ruleset: Name = Field(description="The set's name.")
    version: int = Field(ge=1, description="A number that is raised with every change.")
    about: str | None = Field(None, description="What the set is for.")
    extends: Literal["default"] | None = Field(
        None,
        description="default: the file holds changes to the default set, key by key; null removes a rule.",
    )
    own: dict[OwnName, OwnSpec] = Field(
        {}, description="Facts and counters of the team's own by name, as in the model file."
    )
    rules: dict[Name, RuleSpec] = Field(min_length=1, max_length=MAX_RULES, description="Rules by name.")


def rules_json_schema() -> dict[str, Any]:
    """Return the format as JSON Schema, draft 2020-12, for editors."""
    schema = RulesSpec.model_json_schema()
    defs, properties = schema["$defs"], schema["properties"]
    change = {
        key: {"anyOf": [value, {"type": "null"}]} | {"description": value.get("description", "")}
        for key, value in defs["RuleSpec"]["properties"].items()
    }
    defs["RuleSpec"] |= {"properties": change}
    defs["RuleSpec"].pop("required", None)
    properties["rules"]["patternProperties"] = {
        NAME: {"anyOf": [{"$ref": "#/$defs/RuleSpec"}, {"type": "null"}]}
    }
    for name in ("rules", "own"):
        properties[name]["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Bellbuoy alert rules"} | {
        key: value for key, value in schema.items() if key != "title"
    }


_STAND_INS: dict[str, Any] = {
    "title": "untitled",
    "when": "true",
    "severity": "warning",
    "tiers": [{"severity": "warning", "when": "true"}],
    "ruleset": "unnamed",
    "version": 1,
}


def _leave_out(data: dict[str, Any], path: Path, missing: bool) -> None:
    """Remove the faulty part, or put a stand-in in its place; of a whole rule, put one that finds nothing."""
    if path[:1] == ("own",):
        path = path[:2]
    elif len(path) >= 3 and path[0] == "rules":
        path = path[:3]
    *above, last = path or ("",)
    holder: Any = data
    for key in above:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return
    if len(path) == 2 and path[0] == "rules" and re.fullmatch(NAME, str(last)) is None:
        holder.pop(last, None)
        holder.setdefault("unnamed", {"title": "untitled", "when": "true"})
    elif len(path) == 2 and path[0] == "rules":
        holder[last] = {"title": "untitled", "when": "true"}
    elif len(path) == 2 and path[0] == "own":
        holder[last] = {"kind": "number"}
    elif last in _STAND_INS and (missing or last in holder):
        holder[last] = _STAND_INS[str(last)]
    else:
        holder.pop(last, None)


_schema: Callable[[], dict[str, Any]] = cache(rules_json_schema)
_ELSEWHERE = dict.fromkeys(
    ("measures", "bands", "caps", "model", "groups"),
    "leave it out: the model file makes scores and bands",
) | dict.fromkeys(
    ("channels", "notify", "routes", "recipients"),
    "leave it out: who is told where is a setting, a rule says what is wrong",
)

FORM = FileForm(_schema, "docs/rules.md", _ELSEWHERE, _leave_out)
"""What the search for faults must know of rule files."""
