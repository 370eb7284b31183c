"""
Mend dead letters: what is wrong with one, in its own form, and what it becomes when that is right.

A letter's own form is the record of its topic where it decodes, else the vendor's JSON that the front
door was given. An undecodable one has none: it can only be replaced by a whole record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from bellbuoy.operations.deadletters.edits import value_of
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.sources.registry import REPAIRS
from processors.intake.admission import Admission, NotAdmitted, refusals
from schemas.codec.conformance import completed, departures
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import Registry
from schemas.inputs import INPUT_TOPICS, input_of
from schemas.records import DeadLetter, InputEvent
from schemas.topics import Topics

__all__ = ["ANY_TIME", "DeadLetterRepair", "Draft", "Flaw"]

ANY_TIME = Admission(horizon_ms=2**62, future_ms=2**62)
"""Limits that let every event time through."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a letter: the JSON pointer of the field, what is wrong, and how to mend it."""

    pointer: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter's fields: a record of ``topic``, or what the front door's reader ``door`` takes."""

    topic: str
    door: str | None
    fields: dict[str, Any]


class DeadLetterRepair:
    """Knows every form of letter; ``now`` is the journal's time, UTC milliseconds."""

    def __init__(self, topics: Topics, registry: Registry, limits: Admission, now: int) -> None:
        self._topics = topics
        self._registry = registry
        self._limits = limits
        self._now = now
        self._codecs = {topic: codec(topic, registry) for topic in INPUT_TOPICS}

    def draft(self, letter: DeadLetter) -> Draft | None:
        """Return what can be edited: the repaired record, else the original; ``None``: neither decodes."""
        if (event := self._repaired(letter)) is not None:
            return Draft(self.topic(event), None, msgspec.to_builtins(event))
        topic = self._topics.plain(letter.topic)
        if topic in INPUT_TOPICS:
            try:
                return Draft(topic, None, self._codecs[topic].decode_fields(letter.value))
            except SchemaError:
                pass  # not Avro: from the front door it is the sender's JSON
        if letter.offset < 0 and letter.producer in REPAIRS:
            try:
                fields = orjson.loads(letter.value or b"")
            except orjson.JSONDecodeError:
                return None
            return Draft(topic, letter.producer, fields) if isinstance(fields, dict) else None
        return None

    def whole(self, letter: DeadLetter, fields: Mapping[str, Any]) -> Draft | None:
        """Return these fields as the letter's own form, or as a record of its topic where it has none."""
        topic = self._topics.plain(letter.topic)
        if topic not in INPUT_TOPICS:
            return None
        draft = self.draft(letter)
        if draft is not None and draft.door is not None:
            return Draft(draft.topic, draft.door, dict(fields))
        known = {"tenant": letter.tenant, "source": letter.producer or "repair", "received_at": self._now}
        given = {name: value for name, value in known.items() if value is not None} | dict(fields)
        return Draft(topic, None, given)

    def reader(self, draft: Draft) -> Callable[[str, str], Any]:
        """Return how to read what is typed for a field of the draft, given the field's name and the text."""
        if draft.door is not None:
            return lambda _, text: value_of(text)
        schema = self._schema(draft.topic)
        types = {field["name"]: field["type"] for field in schema["fields"]}
        return lambda field, text: _typed(field, text, types.get(field))

    def judge(self, letter: DeadLetter, draft: Draft | None) -> tuple[InputEvent | None, list[Flaw]]:
        """Return the event that a draft is, or every flaw that keeps it from being one."""
        if self._topics.plain(letter.topic) not in INPUT_TOPICS:
            return None, [Flaw("", "a sink refused this output", "mend the sink, then `bellbuoy rebuild`")]
        if draft is None:
            return None, [Flaw("", letter.detail, "give the whole record: --file")]
        event, flaws = self._read(letter, draft)
        if event is None:
            return None, flaws
        found = refusals(msgspec.structs.asdict(event), self._now, self._limits)
        flaws = [self._flaw(refusal) for refusal in found]
        return (None, flaws) if flaws else (event, [])

    def encode(self, event: InputEvent) -> bytes:
        """Return the event as a record of its topic."""
        return self._codecs[self.topic(event)].encode(event)

    def topic(self, event: InputEvent) -> str:
        """Return the topic of an event, without prefix."""
        return input_of(event).topic

    def _repaired(self, letter: DeadLetter) -> InputEvent | None:
        if letter.mended is None:
            return None
        for known in self._codecs.values():
            try:
                event: InputEvent = known.decode(letter.mended)
            except SchemaError:
                continue
            return event
        return None

    def _schema(self, topic: str) -> Any:
        return self._registry.readers[f"{topic}-value"]

    def _read(self, letter: DeadLetter, draft: Draft) -> tuple[InputEvent | None, list[Flaw]]:
        if draft.door is None:
            return self._record(draft.topic, draft.fields)
        sender = Sender(letter.tenant or "", draft.door, letter.failed_at)
        try:
            event = REPAIRS[draft.door](orjson.dumps(draft.fields), sender, letter.headers)
        except Fault as fault:
            fix = f"--set {fault.pointer}=…" if fault.pointer else "--edit"
            return None, [Flaw(fault.pointer, fault.detail, fix)]
        if event is None:
            return None, [Flaw("", "it says nothing about health", "leave it: there is nothing to redrive")]
        return event, []

    def _record(self, topic: str, fields: dict[str, Any]) -> tuple[InputEvent | None, list[Flaw]]:
        schema = self._schema(topic)
        if flaws := list(_departures(fields, schema)):
            return None, flaws
        event: InputEvent = msgspec.convert(completed(fields, schema), RECORDS[topic])  # type: ignore[assignment]
        return event, []

    def _flaw(self, refusal: NotAdmitted) -> Flaw:
        pointer = refusal.pointer or ""
        if refusal.reason == "too_late":
            fix = f"leave it, it can't count any more; --set {pointer}=… only if that time is wrong"
        elif refusal.reason == "from_future":
            fix = f"redrive it when its time has come; --set {pointer}=… if that time is wrong"
        else:
            fix = f"--set {pointer}=…"
        return Flaw(pointer, refusal.detail, fix)


def _typed(field: str, text: str, kind: Any) -> Any:
    value = value_of(text)
    if "string" in (kind if isinstance(kind, list) else [kind]) and not isinstance(value, str | None):
        return text
    if field.endswith("_at") and isinstance(value, str):
        try:
            return milliseconds(value, f"/{field}")
        except Fault:
            pass  # the schema says what is wrong with it
    return value


def _departures(fields: Mapping[str, Any], schema: Any) -> Iterator[Flaw]:
    known = ", ".join(field["name"] for field in schema["fields"])
    for found in departures(fields, schema):
        pointer = f"/{found.field.replace('~', '~0').replace('/', '~1')}"
        match found.kind:
            case "unknown":
                yield Flaw(pointer, f"no such field; there are {known}", f"--unset {pointer}")
            case "missing":
                yield Flaw(pointer, f"missing: {found.expected}", f"--set {pointer}=…")
            case _:
                given = orjson.dumps(fields[found.field]).decode()
                yield Flaw(pointer, f"{given:.80} is not {found.expected}", f"--set {pointer}=…")
