"""
Format of the model file, as pydantic models.

The descriptions become the JSON Schema that editors read (``docs/model.schema.json``). What can be judged
from one key alone is refused here, what needs the rest of the file by ``processors.model.plan.planner``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.records import BAND_ORDER
from schemas.suggestions import suggestion
from schemas.times import DAY, HOUR, MINUTE

__all__ = [
    "NAME",
    "BandSpec",
    "BodySpec",
    "CapSpec",
    "CombineSpec",
    "Condition",
    "CurveSpec",
    "Duration",
    "FileSpec",
    "GroupSpec",
    "MeasureSpec",
    "ModelSpec",
    "Name",
    "OwnName",
    "OwnSpec",
    "VariantSpec",
    "json_schema",
    "spec_error",
    "stray_brace",
]

NAME = r"^[a-z][a-z0-9_.-]{0,63}$"
_OWN = r"^[a-z][a-z0-9_]{0,63}$"
_UNITS = {"s": 1_000, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_LOWER, _UPPER = ("above", "at_least"), ("below", "at_most")
_LONGEST_USER_DAYS = 32
"""Days for which it is known when each user was active."""

_DURATION = re.compile(r"(\d{1,6})([smhdw])")


def spec_error(message: str, fix: str) -> PydanticCustomError:
    """Return an error with a text of our own: what is wrong, and how to fix it."""
    return PydanticCustomError("model", "{message}", {"message": message, "fix": fix})


def _milliseconds(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        return 0
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return int(match[1]) * _UNITS[match[2]]
    raise spec_error(f"{value!r} is no duration", "write a number and s, m, h, d or w, such as 90d")


def _date(value: object) -> object:
    if isinstance(value, str):
        try:
            date = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            aware = date if date.tzinfo else date.replace(tzinfo=UTC)
            return int(aware.timestamp() * 1000)
    raise spec_error(f"{value!r} is no date", "write it as 2026-12-31 or 2026-12-31T18:00:00Z")


def stray_brace(text: str) -> str | None:
    """Return a brace of a text with placeholders that belongs to none of them, or ``None``."""
    found = re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text))
    return found[0] if found else None


def _template(text: str) -> str:
    unknown = set(re.findall(r"\{([^{}]*)\}", text)) - {"fact", "value"}
    if unknown:
        raise spec_error(f"{{{min(unknown)}}} stands for nothing", "use {fact} and {value}")
    return text


Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Pair: TypeAlias = Annotated[list[Number], Field(min_length=2, max_length=2)]
Duration: TypeAlias = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,6}[smhdw]$", "examples": ["90d", "36h"]}),
]
Date: TypeAlias = Annotated[
    int,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "examples": ["2026-12-31", "2026-12-31T18:00:00Z"]}),
]
Name: TypeAlias = Annotated[str, Field(pattern=NAME)]
OwnName: TypeAlias = Annotated[str, Field(pattern=_OWN)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_template)]
Condition: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]


class FileSpec(BaseModel):
    """Base of what a file may say: no other keys, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EdgeSpec(FileSpec):
    """One of several ranges, from the lowest up; the last one has neither key and is open."""

    below: Number | None = Field(None, description="The range ends before this value: [ , below).")
    up_to: Number | None = Field(None, description="The range ends with this value: [ , up_to].")

    @model_validator(mode="after")
    def _one_end(self) -> EdgeSpec:
        if self.below is not None and self.up_to is not None:
            raise spec_error(
                "below and up_to at once", "keep one: below excludes the value, up_to includes it"
            )
        return self

    @property
    def end(self) -> tuple[float, bool] | None:
        """The end of the range and whether it belongs to it; ``None``: open."""
        if self.below is not None:
            return self.below, False
        return None if self.up_to is None else (self.up_to, True)


class StepSpec(EdgeSpec):
    """A range of values and its score."""

    score: Number = Field(description="The score of every value in the range.")


class RowSpec(EdgeSpec):
    """A range of values and its score in each column."""

    scores: list[Number | None] = Field(description="A score for each column; null: not scored.")


class GridSpec(FileSpec):
    """A table: rows over the measure's own value, columns over another measure's."""

    by: Name = Field(description="The measure that chooses the column.")
    columns: list[EdgeSpec] = Field(min_length=1, description="Ranges of the other measure's value.")
    rows: list[RowSpec] = Field(min_length=1, description="Ranges of this measure's value.")

    @model_validator(mode="after")
    def _whole(self) -> GridSpec:
        _rising(self.columns, "columns")
        _rising(self.rows, "rows")
        for number, row in enumerate(self.rows, 1):
            if len(row.scores) != len(self.columns):
                raise spec_error(
                    f"row {number} has {len(row.scores)} scores for {len(self.columns)} columns",
                    "give every row one score a column; null is not scored",
                )
        return self


class CurveSpec(FileSpec):
    """A function from a measure's value to a score: one of points, steps or grid."""

    points: list[Pair] | None = Field(
        None,
        min_length=1,
        description="[value, score] pairs by rising value; straight lines between them. Two points make a "
        "linear curve; falling scores an inverted one.",
        examples=[[[7, 0], [30, 100]]],
    )
    outside: Number | None = Field(
        None, description="The score beyond the first and the last point; left out, the end's score holds on."
    )
    steps: list[StepSpec] | None = Field(None, min_length=1, description="Hard bands, from the lowest up.")
    grid: GridSpec | None = Field(None, description="A table over two measures.")

    @model_validator(mode="after")
    def _one_kind(self) -> CurveSpec:
        kinds = [kind for kind in ("points", "steps", "grid") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            present = " and ".join(kinds) or "none of them"
            raise spec_error(f"a curve is points, steps or grid, here {present}", "keep exactly one")
        if self.outside is not None and self.points is None:
            raise spec_error("outside without points", "leave it out: steps and grids have no outside")
        if self.points is not None and any(a[0] >= b[0] for a, b in pairwise(self.points)):
            raise spec_error("the points' values do not rise", "order the pairs by value, each value once")
        if self.steps is not None:
            _rising(self.steps, "steps")
        return self


def _rising(edges: list[Any], what: str) -> None:
    ends = [edge.end for edge in edges]
    if ends[-1] is not None or None in ends[:-1]:
        raise spec_error(
            f"the last of the {what} must be open, and only it", "leave below and up_to out there"
        )
    if any(a >= b for a, b in pairwise(ends[:-1])):
        raise spec_error(f"the {what} do not rise", "order them from the lowest end to the highest")


class FadeSpec(FileSpec):
    """The fading of a measure's score with the age of its newest evidence."""

    half_life: Duration = Field(description="In this time the score moves half of the way to `toward`.")
    toward: Number = Field(description="The score that it fades to.")
    window: Duration | None = Field(None, description="From this age on the score is `toward`.")

    @model_validator(mode="after")
    def _some_time(self) -> FadeSpec:
        if not self.half_life:
            raise spec_error("a half_life of nothing", "give a time such as 14d, or leave fade out")
        return self


class MeasureSpec(FileSpec):
    """One measure of the model."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["curve"]},
                {"required": ["weight"], "properties": {"weight": {"const": 0}}},
            ]
        }
    )

    curve: CurveSpec | None = Field(
        None, description="The curve from the value to a score; with weight 0 it may be left out."
    )
    measure: Name | None = Field(
        None, description="The measure, when the key is another name: to count one twice."
    )
    group: Name | None = Field(
        None, description="The group that it belongs to; left out: it counts directly in the score."
    )
    weight: Number = Field(
        1.0,
        ge=0,
        description="How much it counts, relative to its neighbours; 0: it informs, and is not counted.",
    )
    round: int | None = Field(None, ge=0, le=4, description="Round the score half up to so many decimals.")
    if_unknown: Number | None = Field(
        None,
        description="The score while the measure is not known; left out: `missing` of its group decides.",
    )
    stale_after: Duration | None = Field(
        None, description="When the newest evidence is older than this, the measure is flagged stale."
    )
    forget_after: Duration | None = Field(
        None, description="When the newest evidence is older than this, the measure is not known."
    )
    fade: FadeSpec | None = Field(None, description="Let the score fade with the age of the newest evidence.")
    say: Words | None = Field(
        None, description="The reason in words: {fact} is the measure's own sentence, {value} its value."
    )

    @model_validator(mode="after")
    def _fits(self) -> MeasureSpec:
        if self.stale_after and self.forget_after and self.stale_after >= self.forget_after:
            raise spec_error("forgotten before it is stale", "make stale_after shorter than forget_after")
        scored = [key for key in ("round", "if_unknown", "fade") if getattr(self, key) is not None]
        if self.curve is None and not self.weight and scored:
            raise spec_error(
                f"{scored[0]} without a curve", "give it a curve, or leave it out: nothing is scored"
            )
        return self

    @property
    def informs(self) -> bool:
        """Whether the measure is shown without being counted."""
        return not self.weight


class CombineSpec(FileSpec):
    """The way in which members make one score."""

    combine: Literal["mean", "sum", "worst", "product"] = Field(
        "mean",
        description="mean: weighted mean; sum: weighted sum from `start`; worst: the lowest; product: each "
        "member takes away its weight (0 to 1) times its badness of what the others leave.",
    )
    start: Number = Field(0.0, description="What a sum starts from.")
    min: Number | None = Field(None, description="It never falls below this.")
    max: Number | None = Field(None, description="It never rises above this.")
    round: int | None = Field(None, ge=0, le=4, description="Round half up to so many decimals.")

    @model_validator(mode="after")
    def _fits(self) -> CombineSpec:
        if self.combine != "sum" and self.start:
            raise spec_error("start belongs to a sum", "set `combine: sum` or leave start out")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise spec_error("min is not below max", "make min the smaller one")
        return self


class GroupSpec(CombineSpec):
    """A group of measures with a score of its own."""

    missing: Literal["zero", "ignore"] | None = Field(
        None, description="How a measure that is not known counts; left out: as in `score`."
    )

    weight: Number | None = Field(
        None, ge=0, description="How much the group counts; left out: as much as its measures together."
    )
    title: Annotated[str, Field(min_length=1, max_length=60)] | None = Field(
        None, description="The group's name for people."
    )
    multiplies: Number | None = Field(
        None,
        ge=1,
        le=20,
        description="In a product: while the group is at its worst, what the other groups take counts so "
        "many times, in proportion before. For a near renewal, at which a customer in trouble leaves.",
    )
    involuntary: bool = Field(
        False,
        description="In a product: the group is about a customer who means to stay, such as payments that "
        "fail. No group multiplies it.",
    )


class ScoreSpec(CombineSpec):
    """The way in which groups and ungrouped measures make the score."""

    missing: Literal["zero", "ignore"] = Field(
        "zero",
        description="A measure that is not known brings no points (zero), or is left out so that the others "
        "weigh more (ignore; then missing data can raise a score).",
    )

    scale: Number = Field(100.0, gt=0, description="The best score; the worst is 0.")


class CapSpec(FileSpec):
    """An upper limit of the score that holds while a measure's value passes a test."""

    limit: Number = Field(ge=0, description="The most the score may be, on the model's scale.")
    measure: Name = Field(description="The measure whose value is tested; its sentence is the reason.")
    above: Number | None = Field(None, description="It holds while the value is above this.")
    at_least: Number | None = Field(None, description="It holds while the value is this or more.")
    below: Number | None = Field(None, description="It holds while the value is below this.")
    at_most: Number | None = Field(None, description="It holds while the value is this or less.")
    when: Condition | None = Field(None, description="A CEL condition that must hold too.")
    lasts: Duration | None = Field(
        None, description="It ends so long after the event time of the newest evidence."
    )
    until: Date | None = Field(None, description="It ends at this date, UTC.")
    if_unknown: Literal["unknown", "lift"] = Field(
        "unknown",
        description="While the cap can't be judged: it holds and the band is unknown (unknown), or it does "
        "not hold (lift; then missing data can improve a band).",
    )
    say: Words | None = Field(None, description="The reason in words, with {fact} and {value}.")

    @model_validator(mode="after")
    def _tested(self) -> CapSpec:
        for tests in (_LOWER, _UPPER):
            if all(getattr(self, test) is not None for test in tests):
                raise spec_error(f"{tests[0]} and {tests[1]} at once", "keep one of them")
        if all(getattr(self, test) is None for test in _LOWER + _UPPER):
            raise spec_error("a cap that tests nothing", f"add one of {', '.join(_LOWER + _UPPER)}")
        return self


class BandSpec(EdgeSpec):
    """A band over the score, from the worst up."""

    band: Name = Field(description="The band's name; critical, at_risk, watch and healthy say how bad it is.")
    named: Literal["critical", "at_risk", "watch", "healthy"] | None = Field(
        None,
        alias="is",
        description="How bad a band with another name is: what alert rules, roll-ups and colours go by.",
    )
    label: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="The band's name for people, such as Red."
    )

    @model_validator(mode="after")
    def _severity_is_known(self) -> BandSpec:
        if self.band == "unknown":
            raise spec_error("unknown is the band of accounts that can't be judged", "choose another name")
        if self.band in BAND_ORDER and self.named not in (None, self.band):
            raise spec_error(f"{self.band} can't be {self.named}", "leave `is` out, or choose another name")
        if self.band not in BAND_ORDER and self.named is None:
            close = suggestion(self.band, BAND_ORDER, "docs/model.md")
            hint = f", or {close}" if close.startswith("did you mean") else ""
            choices = ", ".join(BAND_ORDER)
            raise spec_error(f"how bad is {self.band}?", f"add `is:` with one of {choices}{hint}")
        return self

    @property
    def severity(self) -> str:
        """How bad the band is: one of BAND_ORDER."""
        return self.named or self.band


def _improving(bands: list[BandSpec]) -> list[BandSpec]:
    _rising(bands, "bands")
    order = [BAND_ORDER.index(band.severity) for band in bands]
    if order != sorted(order):
        raise spec_error("the bands do not improve", f"order them {', '.join(BAND_ORDER)}")
    names = [band.band for band in bands]
    if twice := [name for name in names if names.count(name) > 1]:
        raise spec_error(f"the band {twice[0]} is there twice", "give each band its own name")
    return bands


def _falling_chance(points: list[list[float]]) -> list[list[float]]:
    if any(a[0] >= b[0] for a, b in pairwise(points)):
        raise spec_error("the scores do not rise", "order the pairs by score, each score once")
    if any(a[1] < b[1] for a, b in pairwise(points)):
        raise spec_error("the probability rises with the score", "lower it: a better score is no more risk")
    if not all(0 <= chance <= 1 for _, chance in points):
        raise spec_error("a probability beyond 0 to 1", "write 5 % as 0.05")
    return points


class HysteresisSpec(FileSpec):
    """Hysteresis: what keeps a score near the edge of a band from changing the band again and again."""

    margin: Number = Field(0.0, ge=0, description="A better band is entered this far above its edge.")
    better_for: Duration = Field(
        0, description="A better band is entered after the score was in it for so long."
    )
    worse_for: Duration = Field(
        0, description="A worse band is entered after the score was in it for so long."
    )


class AppliesSpec(FileSpec):
    """The accounts that the model is for, when several models are in force."""

    tenants: list[str] | None = Field(None, min_length=1, description="Tenants; left out: every tenant.")
    when: Condition | None = Field(None, description="A CEL condition over account.* facts.")
    priority: int = Field(0, description="Of several models that apply, the highest priority wins.")


class BodySpec(FileSpec):
    """The parts that a model and each of its variants have."""

    score: ScoreSpec = Field(ScoreSpec.model_validate({}), description="How the score is made.")
    groups: dict[Name, GroupSpec] = Field({}, description="Groups by name.")
    measures: dict[Name, MeasureSpec] = Field(min_length=1, description="Measures by name.")
    caps: dict[Name, CapSpec] = Field({}, description="Caps by name.")
    bands: Annotated[list[BandSpec], AfterValidator(_improving)] = Field(
        min_length=1, description="Bands from the worst up."
    )
    hysteresis: HysteresisSpec = Field(
        HysteresisSpec.model_validate({}), description="What keeps a band from flapping."
    )
    min_coverage: Number = Field(
        0.6, ge=0, le=1, description="With a smaller share of the weights known the band is unknown."
    )
    churn_probability: Annotated[list[Pair], AfterValidator(_falling_chance)] | None = Field(
        None,
        min_length=2,
        description="[score, probability of churn within 90 days] pairs by rising score, with straight lines "
        "between them, as measured on the past; left out: no probability is shown. It is for "
        "the accounts that no variant is for.",
        examples=[[[0, 0.6], [40, 0.15], [100, 0.01]]],
    )


class VariantSpec(FileSpec):
    """
    A patch of the model for some accounts.

    Its keys replace the model's; null removes a measure, a group, a cap or a key. A curve and the bands are
    replaced as a whole.
    """

    priority: int = Field(description="Of several variants that apply, the highest priority wins.")
    when: Condition = Field(description="A CEL condition over account.* facts.")
    until: Date | None = Field(None, description="The variant ends at this date, UTC.")
    score: dict[str, Any] = Field({})
    groups: dict[Name, dict[str, Any] | None] = Field({})
    measures: dict[Name, dict[str, Any] | None] = Field({})
    caps: dict[Name, dict[str, Any] | None] = Field({})
    bands: list[Any] | None = Field(None)
    hysteresis: dict[str, Any] = Field({})
    min_coverage: Any = Field(None)


class OwnSpec(FileSpec):
    """
    A fact or a counter of the team's own, which its senders name.

    It is a measure and a fact of conditions, both by the name ``own.<name>``.
    """

    kind: Literal["number", "date", "flag", "pulse", "count", "users"] = Field(
        description="number; date: the days since it; flag: true or false; pulse: 1 to 5, as a person judges "
        "the account; count: what happened in `days`; users: the people whom it happened to in `days`."
    )
    title: Annotated[str, Field(min_length=1, max_length=60)] | None = Field(
        None, description="What it is called in reasons; left out: its name."
    )
    unit: Annotated[str, Field(min_length=1, max_length=30)] | None = Field(
        None, description="The unit of a number or of a count."
    )
    forget_after: Duration | None = Field(
        None, description="Whole days after which it is no longer known, unless it was said again."
    )
    days: int | None = Field(None, ge=1, le=90, description="The days that a counter counts, today included.")
    per: Literal["seats"] | None = Field(
        None, description="seats: the counter is divided by the seats, and not known without them."
    )

    @model_validator(mode="after")
    def _fits(self) -> OwnSpec:
        if self.counts and self.days is None:
            raise spec_error(f"{self.kind} without days", "add `days: 30`, 90 at most")
        if self.kind == "users" and self.days is not None and self.days > _LONGEST_USER_DAYS:
            raise spec_error(f"users of {self.days} days", f"make it {_LONGEST_USER_DAYS} days or less")
        if self.counts and self.forget_after is not None:
            raise spec_error("forget_after of a counter", "leave it out: `days` says how far it reaches")
        for key in ("days", "per"):
            if not self.counts and getattr(self, key) is not None:
                raise spec_error(f"{key} of a {self.kind}", f"leave {key} out, or make it a count or users")
        if self.unit is not None and self.kind not in ("number", "count"):
            raise spec_error(f"the unit of a {self.kind}", "leave it out")
        if self.forget_after is not None and (self.forget_after < DAY or self.forget_after % DAY):
            raise spec_error("forget_after is no number of whole days", "write it as 90d")
        return self

    @property
    def counts(self) -> bool:
        """Whether it is a counter."""
        return self.kind in ("count", "users")


class ModelSpec(BodySpec):
    """A Bellbuoy health model."""

    model: Name = Field(description="The model's name.")
    version: int = Field(ge=1, description="A number that is raised with every change.")
    about: str | None = Field(None, description="What the model is for.")
    applies: AppliesSpec | None = Field(
        None, description="Which accounts the model is for; left out: all that no other model is for."
    )
    own: dict[OwnName, OwnSpec] = Field(
        {},
        description="Facts and counters of the team's own by name; measures and conditions read own.<name>.",
    )
    variants: dict[Name, VariantSpec] = Field({}, description="Segments and lifecycle stages by name.")


def json_schema() -> dict[str, Any]:
    """Return the format as JSON Schema, draft 2020-12, for editors."""
    schema = ModelSpec.model_json_schema()
    defs = schema["$defs"]
    variant = defs["VariantSpec"]["properties"]
    for name, spec in (("groups", "GroupSpec"), ("measures", "MeasureSpec"), ("caps", "CapSpec")):
        patch = f"{spec.removesuffix('Spec')}Patch"
        defs[patch] = _patch(defs[spec])
        variant[name]["patternProperties"] = {
            NAME: {"anyOf": [{"$ref": f"#/$defs/{patch}"}, {"type": "null"}]}
        }
    for name in ("score", "hysteresis", "bands", "min_coverage"):
        variant[name] = schema["properties"][name]
    for node in (schema, defs["VariantSpec"]):
        for name in ("groups", "measures", "caps", "own", "variants"):
            if name in node["properties"]:
                node["properties"][name]["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Bellbuoy health model"} | {
        key: value for key, value in schema.items() if key != "title"
    }


def _patch(spec: dict[str, Any]) -> dict[str, Any]:
    properties = {
        key: {"anyOf": [value, {"type": "null"}]} | {"description": value.get("description", "")}
        for key, value in spec["properties"].items()
    }
    kept = {key: value for key, value in spec.items() if key not in ("required", "anyOf")}
    return kept | {"properties": properties}
