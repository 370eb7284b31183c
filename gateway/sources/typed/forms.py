"""
The JSON form of each input topic, derived from its Avro schema, so that there is no second schema to keep.

Names and types are those of the schema. A required enum does not accept its symbol ``unknown``. A time may
also be written in ISO 8601. ``tenant`` comes from the write key, and ``received_at`` from the gateway.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from processors.intake.admission import account_act_refusals
from processors.intake.own_facts import own_refusals
from processors.measures import MEASURES
from processors.observe.override import is_target
from processors.state.account_acts import ACCOUNT_ACTS
from schemas.codec.record_codec import RECORDS
from schemas.codec.registry import Registry
from schemas.identity.aliases import is_alias
from schemas.identity.keys import valid_account
from schemas.records import (
    AccountLink,
    AccountOverride,
    AccountProfile,
    AlertAction,
    InputEvent,
    SupportEvent,
    SurveyResponse,
)
from schemas.suggestions import nearest, suggestion
from schemas.times import DAY

__all__ = ["Form"]

_MAX_TEXT = 4_096
"""Characters of a text in a typed event, whatever its field; a longer one is `invalid`."""

_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_INT32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_COUNT = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_MONEY = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_DURATION = Annotated[int, msgspec.Meta(ge=0, le=366 * DAY)]
_TEXT = Annotated[str, msgspec.Meta(max_length=_MAX_TEXT)]
_NAME = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_AVRO_TYPES: dict[str, Any] = {
    "string": _TEXT,
    "long": _INT64,
    "int": _INT32,
    "boolean": bool,
    "double": float,
}
_FIELD_TYPES: dict[str, Any] = {
    "event_id": _NAME,
    "account_id": _NAME,
    "ticket_id": _NAME,
    "survey_id": _NAME,
    "alert_id": _NAME,
    "user_id": _NAME,
    "duration_ms": _DURATION,
    "latency_ms": _DURATION,
    "seats": _COUNT,
    "mrr_minor": _MONEY,
    "previous_mrr_minor": _MONEY,
    "arr_minor": _MONEY,
    "worth_minor": _MONEY,
    "features": _COUNT,
    "uptime_ppm": Annotated[int, msgspec.Meta(ge=0, le=1_000_000)],
    "country": Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")],
    "merged_into": _NAME,
    "moved_from": _NAME,
    "dispute_id": _NAME,
    "attempts": _COUNT,
    "sequence": _COUNT,
    "into": _NAME,
    "target": _NAME,
    "author": _NAME,
    "reason": _NAME,
    "value": Annotated[float, msgspec.Meta(ge=0, le=100)],
    "currency": Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")],
    "csat": Annotated[int, msgspec.Meta(ge=1, le=5)],
}
"""Types of fields that are narrower than the type in the Avro schema."""

_SCORE_RANGES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


_UNITS = {
    "_minor": "a whole number of minor units of the currency: 12.50 USD is 1250",
    "_ms": "a whole number of milliseconds",
    "_ppm": "a whole number of millionths",
}
"""The unit of a field, by the end of its name."""


_FEEDBACK = ("useful", "noise", "known")


class Form:
    """
    Reader of the JSON form of one input topic, named without prefix.

    ``struct`` has its fields. ``reserved`` are names of sources that only their own endpoints may give, in
    lower case.
    """

    def __init__(self, topic: str, registry: Registry, reserved: frozenset[str] = frozenset()) -> None:
        self._record = RECORDS[topic]
        self._reserved = reserved
        declared = [f for f in registry.readers[f"{topic}-value"]["fields"] if f["name"] != "received_at"]
        self._notes = {f"/{field['name']}": _note(field) for field in declared}
        fields = [_field(field) for field in declared]
        self._times = tuple(name for name, *_ in fields if name.endswith("_at"))
        self._texts = tuple(name for name, kind, *_ in fields if name not in self._times)
        name = self._record.__name__
        self.struct = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
        self._decoder: Decoder[Any] = Decoder(self.struct)

    def read(self, raw: bytes | msgspec.Raw, sender: Sender) -> InputEvent:
        """Return the record of a JSON object; raise Fault with the pointer of the field that does not fit."""
        try:
            values = msgspec.structs.asdict(self._decoder.read(raw))
        except Fault as fault:
            note = self._notes.get(fault.pointer)
            if note is None and fault.detail.startswith("unknown field"):
                close = nearest(fault.pointer[1:], self.struct.__struct_fields__, 1)
                note = f"did you mean {close[0]}?" if close else "docs/reference/events.md has the fields"
            raise Fault(f"{fault.detail}; {note}" if note else fault.detail, fault.pointer) from fault
        if values["tenant"] not in (None, sender.tenant):
            raise Fault("the key belongs to another tenant; leave tenant out", "/tenant")
        account_or_alias(values["account_id"], "/account_id")
        for name in self._texts:
            value = values[name]
            if isinstance(value, str) and "\0" in value:
                raise Fault("text with a NUL", f"/{name}")
        for name in self._times:
            if values[name] is not None:
                values[name] = milliseconds(values[name], f"/{name}")
        if (values["source"] or "").strip().casefold() in self._reserved:
            raise Fault(
                f"the source {values['source']!r} has an endpoint of its own: name another, or leave it out",
                "/source",
            )
        values |= {"tenant": sender.tenant, "received_at": sender.received_at}
        values["source"] = values["source"] or sender.source
        if values["occurred_at"] is None:
            values["occurred_at"] = sender.received_at
        record: Any = self._record(**values)
        _check_meaning(record)
        return record  # type: ignore[no-any-return]


def _note(field: dict[str, Any]) -> str:
    """Return what a field may hold, in words: the choices of an enum, else its meaning and its unit."""
    name = field["name"]
    symbols = _symbols(field)
    if symbols:
        return f"{name} is one of {', '.join(symbols)}"
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), None)
    meaning = field["doc"].rstrip(".")
    return f"{name}: {meaning}, {unit}" if unit else f"{name}: {meaning}"


def _symbols(field: dict[str, Any]) -> tuple[str, ...]:
    declared = field["type"][1] if isinstance(field["type"], list) else field["type"]
    if not isinstance(declared, dict):
        return ()
    return tuple(
        symbol for symbol in declared.get("symbols", ()) if symbol != "unknown" or "default" in field
    )


def _field(field: dict[str, Any]) -> tuple[str, Any] | tuple[str, Any, Any]:
    name, declared = field["name"], field["type"]
    if name in ("tenant", "source"):
        return name, _NAME | None, None
    if name.endswith("_at"):
        return name, str | _INT64 | None, None
    optional = isinstance(declared, list)
    avro = declared[1] if optional else declared
    if isinstance(avro, dict) and avro["type"] == "map":
        return name, dict[str, Any], {}  # ``own_refusals`` judges the values
    if symbols := _symbols(field):
        accepted: Any = Literal[symbols]
    else:
        accepted = _FIELD_TYPES.get(name) or _AVRO_TYPES[avro]
    if optional:
        return name, accepted | None, None
    return (name, accepted, field["default"]) if "default" in field else (name, accepted)


def _check_meaning(record: InputEvent) -> None:
    if isinstance(record, SurveyResponse) and record.score is not None:
        if record.step == "sent":
            raise Fault("a survey that was only sent has no score", "/score")
        low, high = _SCORE_RANGES[record.kind]
        if not low <= record.score <= high:
            raise Fault(f"a score of {record.kind} is {low} to {high}", "/score")
    if isinstance(record, AccountProfile):
        for pointer, why in own_refusals(record.own, record.counted):
            raise Fault(why, pointer)
    if isinstance(record, AccountOverride) and not is_target(record.target):
        fix = suggestion(record.target, list(MEASURES), "docs/measures.md")
        raise Fault(f"target is `score` or a measure; {fix}", "/target")
    if isinstance(record, AccountOverride) and _ends_before_it_begins(record):
        raise Fault("an override ends after it was said: it would never count", "/expires_at")
    if isinstance(record, SupportEvent) and record.moved_from is not None:
        account_or_alias(record.moved_from, "/moved_from")
    if isinstance(record, AccountLink):
        if record.deleted:
            raise Fault("the gateway deletes no account: use `bellbuoy account delete`", "/deleted")
        if not valid_account(record.into) or is_alias(record.into):
            raise Fault("a link leads into an account, not an alias", "/into")
        if record.into == record.account_id:
            raise Fault("an account can't be merged into itself", "/into")
    if isinstance(record, AccountOverride | AlertAction) and is_alias(record.account_id):
        raise Fault("an alias has neither a score nor alerts: name the account", "/account_id")
    if isinstance(record, AlertAction):
        _check_action(record)
    if isinstance(record, SupportEvent) and record.kind == "rated" and record.csat is None:
        raise Fault("rated needs csat, 1 to 5", "/csat")


def _check_action(action: AlertAction) -> None:
    """Raise Fault for an action that would change nothing."""
    if action.kind in ACCOUNT_ACTS:
        for refusal in account_act_refusals(msgspec.structs.asdict(action)):
            raise Fault(refusal.detail, refusal.pointer or "")
    if action.kind == "snoozed" and (action.until is None or action.until <= action.occurred_at):
        raise Fault("snoozed needs until, a later time in UTC milliseconds", "/until")
    if action.kind == "assigned" and not action.assignee:
        raise Fault("assigned needs assignee, a name", "/assignee")
    if action.feedback not in (None, *_FEEDBACK):
        raise Fault(f"feedback is one of {', '.join(_FEEDBACK)}", "/feedback")
    if action.kind == "reviewed" and action.feedback is None:
        raise Fault(f"reviewed needs feedback, one of {', '.join(_FEEDBACK)}", "/feedback")


def _ends_before_it_begins(override: AccountOverride) -> bool:
    return override.expires_at is not None and override.expires_at <= override.occurred_at
