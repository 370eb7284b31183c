"""Facts and counters of a team's own in the model file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from processors.model.file.values import Duration, FileSpec, spec_error
from schemas.times import DAY

__all__ = ["OwnSpec"]

_LONGEST_USER_DAYS = 32
"""Days for which it is known when each user was active."""


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
