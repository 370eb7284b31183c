"""
Repair of dead letters: finds what is wrong with a record, in the form it came in, and makes the event of it.

The form of a dead letter is the record of its topic where it decodes, else the vendor's JSON that the
gateway received. An undecodable one has no form: it can only be replaced by a whole record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from jsonpointer import escape

from bellbuoy.operations.deadletters.edits import json_or_text
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.pulls.registry import ALL_REPAIRS
from processors.intake.admission import Admission, NotAdmitted, refusals
from schemas.codec.conformance import completed, departures
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import Registry
from schemas.inputs import INPUT_TOPICS, input_of
from schemas.records import AlertNotification, DeadLetter, InputEvent
from schemas.records.dead_letters import SINK_HEADER
from schemas.topics import Topics

__all__ = ["NOTIFICATIONS", "NO_TIME_LIMITS", "DeadLetterRepair", "Draft", "Flaw"]

NOTIFICATIONS = "alert.notifications"
"""The topic whose dead letters are notifications that a channel failed to deliver."""

NO_TIME_LIMITS = Admission(horizon_ms=2**62, future_ms=2**62)
"""Limits of admission that accept every event time."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a dead letter: the field's JSON pointer, what is wrong, and the fix."""

    pointer: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Draft:
    """Fields of a dead letter: a record of ``topic``, or JSON that the gateway source ``source`` reads."""

    topic: str
    source: str | None
    fields: dict[str, Any]


class DeadLetterRepair:
    """
    Repairs dead letters of every form; ``now`` is the journal's time, UTC milliseconds.

    ``original`` returns the whole value of a dead letter that holds only its beginning, or ``None``.
    """

    def __init__(
        self,
        topics: Topics,
        registry: Registry,
        limits: Admission,
        now: int,
        original: Callable[[DeadLetter], bytes | None] = lambda _: None,
    ) -> None:
        self._topics = topics
        self._registry = registry
        self._limits = limits
        self._now = now
        self._original = original
        self._codecs = {topic: codec(topic, registry) for topic in INPUT_TOPICS}

    def draft(self, letter: DeadLetter) -> Draft | None:
        """Return the fields to edit: the repaired record's, or the original's; ``None``: neither decodes."""
        if (event := self._repaired(letter)) is not None:
            return Draft(self.topic(event), None, msgspec.to_builtins(event))
        topic = self._topics.plain(letter.topic)
        if topic in INPUT_TOPICS:
            try:
                value = self._original(letter) if letter.cut else letter.value
                return Draft(topic, None, self._codecs[topic].decode_fields(value))
            except SchemaError:
                pass  # not Avro: a dead letter of the gateway holds the sender's JSON
        if letter.offset < 0 and letter.producer in ALL_REPAIRS:
            try:
                fields = orjson.loads(letter.value or b"")
            except orjson.JSONDecodeError:
                return None
            return Draft(topic, letter.producer, fields) if isinstance(fields, dict) else None
        return None

    def whole(self, letter: DeadLetter, fields: Mapping[str, Any]) -> Draft | None:
        """Return a draft of these fields in the dead letter's form; without one, as a record of its topic."""
        topic = self._topics.plain(letter.topic)
        if topic not in INPUT_TOPICS:
            return None
        draft = self.draft(letter)
        if draft is not None and draft.source is not None:
            return Draft(draft.topic, draft.source, dict(fields))
        known = {"tenant": letter.tenant, "source": letter.producer or "repair", "received_at": self._now}
        complete = {name: value for name, value in known.items() if value is not None} | dict(fields)
        return Draft(topic, None, complete)

    def reader(self, draft: Draft) -> Callable[[str, str], Any]:
        """Return a function that reads a typed value of the draft, given the field's name and the text."""
        if draft.source is not None:
            return lambda _, text: json_or_text(text)
        schema = self._schema(draft.topic)
        types = {field["name"]: field["type"] for field in schema["fields"]}
        return lambda field, text: _typed(field, text, types.get(field))

    def judge(self, letter: DeadLetter, draft: Draft | None) -> tuple[InputEvent | None, list[Flaw]]:
        """Return the event of a draft, or ``None`` and every flaw that keeps it from being one."""
        if self.notification(letter) is not None:
            what = f"a channel failed to deliver it: {letter.detail}"
            fix = f"repair the channel or the address, then `bellbuoy deadletters redrive {letter.id}`"
            return None, [Flaw("", what, fix)]
        if self._topics.plain(letter.topic) not in INPUT_TOPICS:
            return None, [Flaw("", "a sink refused this output", "repair the sink, then `bellbuoy rebuild`")]
        if draft is None:
            what = letter.detail
            if letter.cut and self._original(letter) is None:
                where = f"{letter.topic}/{letter.partition}@{letter.offset}"
                what = f"{letter.value_bytes} bytes, of which the beginning is kept; {where} has them no more"
            return None, [Flaw("", what, "give the whole record: --file")]
        event, flaws = self._read(letter, draft)
        if event is None:
            return None, flaws
        refused = refusals(msgspec.structs.asdict(event), self._now, self._limits)
        flaws = [self._flaw(refusal) for refusal in refused]
        return (None, flaws) if flaws else (event, [])

    def notification(self, letter: DeadLetter) -> AlertNotification | None:
        """Return the notification that a channel failed to deliver, ``None`` for any other dead letter."""
        if self._topics.plain(letter.topic) != NOTIFICATIONS or SINK_HEADER not in letter.headers:
            return None
        try:
            found: AlertNotification = codec(NOTIFICATIONS, self._registry).decode(letter.value or b"")
        except SchemaError:
            return None
        return found

    def encode(self, event: InputEvent) -> bytes:
        """Return the event encoded as a record of its topic."""
        return self._codecs[self.topic(event)].encode(event)

    def topic(self, event: InputEvent) -> str:
        """Return the topic of an event, without prefix."""
        return input_of(event).topic

    def _repaired(self, letter: DeadLetter) -> InputEvent | None:
        if letter.mended is None:
            return None
        for topic_codec in self._codecs.values():
            try:
                event: InputEvent = topic_codec.decode(letter.mended)
            except SchemaError:
                continue
            return event
        return None

    def _schema(self, topic: str) -> Any:
        return self._registry.readers[f"{topic}-value"]

    def _read(self, letter: DeadLetter, draft: Draft) -> tuple[InputEvent | None, list[Flaw]]:
        if draft.source is None:
            return self._record(draft.topic, draft.fields)
        sender = Sender(letter.tenant or "", draft.source, letter.failed_at)
        try:
            event = ALL_REPAIRS[draft.source](orjson.dumps(draft.fields), sender, letter.headers)
        except Fault as fault:
            fix = f"--set {fault.pointer}=…" if fault.pointer else "--edit"
            return None, [Flaw(fault.pointer, fault.detail, fix)]
        if event is None:
            return None, [Flaw("", "it has no effect on a score", "leave it: there is nothing to redrive")]
        return event, []

    def _record(self, topic: str, fields: dict[str, Any]) -> tuple[InputEvent | None, list[Flaw]]:
        schema = self._schema(topic)
        if flaws := list(_schema_flaws(fields, schema)):
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
    value = json_or_text(text)
    if "string" in (kind if isinstance(kind, list) else [kind]) and not isinstance(value, str | None):
        return text
    if field.endswith("_at") and isinstance(value, str):
        try:
            return milliseconds(value, f"/{field}")
        except Fault:
            pass  # the check against the schema says what is wrong with it
    return value


def _schema_flaws(fields: Mapping[str, Any], schema: Any) -> Iterator[Flaw]:
    known = ", ".join(field["name"] for field in schema["fields"])
    for departure in departures(fields, schema):
        pointer = f"/{escape(departure.field)}"
        match departure.kind:
            case "unknown":
                yield Flaw(pointer, f"no such field; there are {known}", f"--unset {pointer}")
            case "missing":
                yield Flaw(pointer, f"missing: {departure.expected}", f"--set {pointer}=…")
            case _:
                value = orjson.dumps(fields[departure.field]).decode()
                yield Flaw(pointer, f"{value:.80} is not {departure.expected}", f"--set {pointer}=…")
