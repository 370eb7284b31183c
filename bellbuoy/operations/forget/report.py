"""Report of an erasure: where something of the subject was, and what remains of it until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from schemas.times import iso

__all__ = ["ErasureReport", "Place"]

Fate = Literal["removed", "rewritten", "remains", "yours", "pending"]
"""``yours``: only you can remove it. ``pending``: a role was away; run the command again."""

_WORDS = {
    "removed": "removed",
    "rewritten": "rewritten without it",
    "remains": "remains",
    "yours": "yours to do",
    "pending": "NOT DONE YET",
}


@dataclass(frozen=True, slots=True)
class Place:
    """
    A place with something of the subject.

    ``entries`` are the records, rows or files found. Of what remains, ``until`` is the time at which it is
    gone at the latest, UTC milliseconds (``None``: no end is set), and ``note`` says why, or what to do.
    """

    where: str
    entries: int
    fate: Fate
    until: int | None = None
    note: str = ""


@dataclass(slots=True)
class ErasureReport:
    """
    Report of one erasure, or of what one would do (``dry_run``).

    ``erased_at`` is the event time up to which the subject is erased, UTC milliseconds; -1 in a dry run.
    """

    tenant: str
    account_id: str | None
    user_id: str | None
    dry_run: bool
    erased_at: int = -1
    accounts: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether nothing waits for a role that was away."""
        return all(place.fate != "pending" for place in self.places)

    @property
    def until(self) -> int | None:
        """The time by which all is gone that goes by itself, UTC milliseconds; ``None``: nothing remains."""
        return max((place.until for place in self.places if place.until is not None), default=None)

    def as_data(self) -> dict[str, Any]:
        """Return the report as data for programs."""
        return {
            "tenant": self.tenant,
            "account_id": self.account_id,
            "user_id": self.user_id,
            "dry_run": self.dry_run,
            "erased_at": None if self.erased_at < 0 else self.erased_at,
            "accounts": self.accounts,
            "done": self.done,
            "remains_until": self.until,
            "places": msgspec.to_builtins(self.places),
        }

    def lines(self) -> Iterator[str]:
        """Yield the report for people."""
        who = f"account {self.account_id}" if self.account_id is not None else f"user {self.user_id}"
        if self.dry_run:
            yield f"To erase {who} of tenant {self.tenant}, with {', '.join(self.accounts) or 'no account'}:"
        else:
            yield f"Erased {who} of tenant {self.tenant}, up to {iso(self.erased_at)}:"
        if not any(place.entries for place in self.places):
            yield "  Nothing was found of it: is it spelt so, and the tenant?"
        width = max((len(place.where) for place in self.places), default=0)
        for place in self.places:
            yield f"  {place.where:<{width}}  {place.entries:>7,}  {self._fate(place)}"
        if self.dry_run:
            yield "Nothing was changed."
        elif not self.done:
            yield "Run the command again once what is missing runs: it does the rest."
        elif self.until is None:
            yield "Nothing remains that goes by itself."
        else:
            yield f"The last of it is gone by {iso(self.until)}."

    def _fate(self, place: Place) -> str:
        words = _WORDS[place.fate]
        if self.dry_run and place.fate in ("removed", "rewritten"):
            words = f"would be {words}"
        if place.fate == "remains":
            words += f" until {iso(place.until)}" if place.until is not None else " for ever"
        return f"{words}: {place.note}" if place.note else words
