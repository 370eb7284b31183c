"""
Format of the model file, as pydantic models.

The descriptions become the JSON Schema that editors read (``docs/model.schema.json``). What can be judged
from one key alone is refused here, what needs the rest of the file by ``processors.model.plan.planner``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from processors.model.file.bands import BandSpec, HysteresisSpec, falling_chance, improving
from processors.model.file.curves import CurveSpec
from processors.model.file.own import OwnSpec
from processors.model.file.values import (
    NAME,
    Condition,
    Date,
    Duration,
    FileSpec,
    Name,
    Number,
    OwnName,
    Pair,
    Words,
    spec_error,
)

__all__ = [
    "AppliesSpec",
    "BodySpec",
    "CapSpec",
    "CombineSpec",
    "FadeSpec",
    "GroupSpec",
    "MeasureSpec",
    "ModelSpec",
    "ScoreSpec",
    "VariantSpec",
    "json_schema",
]

_LOWER, _UPPER = ("above", "at_least"), ("below", "at_most")


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
    bands: Annotated[list[BandSpec], AfterValidator(improving)] = Field(
        min_length=1, description="Bands from the worst up."
    )
    hysteresis: HysteresisSpec = Field(
        HysteresisSpec.model_validate({}), description="What keeps a band from flapping."
    )
    min_coverage: Number = Field(
        0.6, ge=0, le=1, description="With a smaller share of the weights known the band is unknown."
    )
    churn_probability: Annotated[list[Pair], AfterValidator(falling_chance)] | None = Field(
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
