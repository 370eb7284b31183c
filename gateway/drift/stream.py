"""
One kind of event of a producer: its fields, and how they change. Pure.

Changes are judged by counts of events: a busy producer is warned within seconds, a slow one after as many
events, and none because it rests at night. Only the end of a warning that stays is a matter of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from gateway.drift.shapes import parent_of
from schemas.times import DAY

__all__ = ["FieldChange", "Stream", "stopped"]

_ESTABLISHED = 30
"""Events with a field, or of a kind, after which its absence says something."""

_PATIENCE, _LONG_PATIENCE = 10, 40
"""Events in a row without a field that was in each of before, or in nine of ten."""

_SHARE = 0.9
_EXPECTED = 20.0
"""Events of a kind that would have come by now, when it counts as stopped."""

_ADOPTED_MS = DAY
"""The time after which a change is how the producer is by now, and no warning any more."""

_FIELDS = 150
"""Fields that are known of a kind of event."""

_ALIKE = 0.4
"""The least likeness, 0 to 1, of two names of which one may have replaced the other."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """
    A change of one field: ``missing``, ``renamed`` (now at ``now``), or ``type`` (from ``was``, to ``now``).

    ``since`` is when it was noticed, UTC milliseconds.
    """

    kind: str
    pointer: str
    since: int
    was: str
    now: str = ""


@dataclass(slots=True)
class _Field:
    """A field: when it was first and last seen, by the number of the event, how often, and its type."""

    first: int
    last: int
    type: str
    seen: int = 1
    other: str = ""
    others: int = 0
    own: int = 0


@dataclass(slots=True)
class Stream:
    """
    Fields of one kind of event.

    ``events`` counts those that were looked at. ``first`` and ``last`` are the counts of all events of the
    producer at the first and the last of them, and ``gap`` is the most that came between two.
    """

    first: int
    last: int
    events: int = 0
    gap: int = 0
    last_at: int = 0
    changes: dict[tuple[str, str], FieldChange] = field(default_factory=dict)
    _fields: dict[str, _Field] = field(default_factory=dict)

    def arrived(self, count: int, at: int) -> None:
        """Note that one came, when the producer's events were so many."""
        self.gap = max(self.gap, count - self.last)
        self.last, self.last_at = count, at

    def observe(self, shape: Mapping[str, str]) -> None:
        """Note the shape of one event, and keep ``changes`` up to date."""
        self.events += 1
        for pointer, kind in shape.items():
            known = self._fields.get(pointer)
            if known is not None:
                self._saw(pointer, known, kind)
            elif len(self._fields) < _FIELDS:
                self._fields[pointer] = _Field(self.events, self.events, kind)
        if self.events % (_PATIENCE // 2) == 0:
            self._look_for_missing()

    def _saw(self, pointer: str, known: _Field, kind: str) -> None:
        known.seen += 1
        known.last = self.events
        if self.changes:
            for gone in ("missing", "renamed"):
                self.changes.pop((gone, pointer), None)
        if kind == known.type:
            known.others, known.own = 0, known.own + 1
            if self.changes and known.own >= _PATIENCE:
                self.changes.pop(("type", pointer), None)
            return
        known.others = known.others + 1 if kind == known.other else 1
        known.other, known.own = kind, 0
        if known.others < _PATIENCE:
            return
        told = self.changes.get(("type", pointer))
        if known.seen < _ESTABLISHED or (told is not None and self._is_over(told)):
            known.type, known.others = kind, 0
            self.changes.pop(("type", pointer), None)
        elif told is None:
            self.changes["type", pointer] = FieldChange("type", pointer, self.last_at, known.type, kind)

    def _is_over(self, change: FieldChange) -> bool:
        return self.last_at - change.since >= _ADOPTED_MS

    def _look_for_missing(self) -> None:
        for pointer, known in list(self._fields.items()):
            absent = self.events - known.last
            if absent < _PATIENCE or known.seen < _ESTABLISHED:
                continue
            lived = known.last - known.first + 1
            always = known.seen == lived
            if absent < (_PATIENCE if always else _LONG_PATIENCE) or known.seen < _SHARE * lived:
                continue
            told = self._told(pointer)
            if told is not None and self._is_over(told):
                del self._fields[pointer]
                del self.changes[told.kind, pointer]
            elif told is None and self._told(parent_of(pointer)) is None:
                to = self._successor(pointer, known)
                kind = "renamed" if to else "missing"
                self.changes[kind, pointer] = FieldChange(kind, pointer, self.last_at, known.type, to)

    def _told(self, pointer: str) -> FieldChange | None:
        return self.changes.get(("missing", pointer)) or self.changes.get(("renamed", pointer))

    def _successor(self, pointer: str, gone: _Field) -> str:
        """Return the field beside it that came when it went, of its type and with the likest name; or ''."""
        came = [
            (SequenceMatcher(None, pointer.lower(), other.lower()).ratio(), other)
            for other, known in self._fields.items()
            if gone.last < known.first <= gone.last + 2
            and known.type == gone.type
            and parent_of(other) == parent_of(pointer)
        ]
        likeness, name = max(came, default=(0.0, ""))
        return name if likeness >= _ALIKE or len(came) == 1 else ""


def stopped(streams: Iterable[tuple[str, Stream]], count: int, now: int) -> Iterator[str]:
    """
    Yield the names of those that stopped, when so many events of all have come; ``now`` is UTC milliseconds.

    One stopped when at its rate of before twenty would have come since its last, and the pause is three times
    as long as any before. After a day it is how the producer is.
    """
    for name, each in streams:
        pause = count - each.last
        if each.events < _ESTABLISHED or pause < 3 * each.gap or now - each.last_at >= _ADOPTED_MS:
            continue
        if pause * each.events / (each.last - each.first + 1) >= _EXPECTED:
            yield name
