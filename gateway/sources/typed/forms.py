"""
The typed JSON form of each input topic, derived from its Avro schema, so that the two can't part.

Names and types are the schema's; enums take their symbols except ``unknown`` where the field is required;
times also take ISO 8601; ``tenant`` comes from the write key, ``received_at`` from the front door.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from gateway.outbox.dispatch import Sender
from processors.measures import MEASURES
from schemas.codec.record_codec import RECORDS
from schemas.codec.registry import Registry
from schemas.identity.aliases import is_alias
from schemas.identity.keys import valid_account
from schemas.records import (
    AccountLink,
    AccountOverride,
    AlertAction,
    InputEvent,
    SupportEvent,
    SurveyResponse,
)
from schemas.suggestions import suggestion
from schemas.times import DAY

__all__ = ["Form"]

_MAX_TEXT = 4_096
_LONG = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_INT = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_COUNT = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_MONEY = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_SPAN = Annotated[int, msgspec.Meta(ge=0, le=366 * DAY)]
_TEXT = Annotated[str, msgspec.Meta(max_length=_MAX_TEXT)]
_NAME = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_PLAIN: dict[str, Any] = {"string": _TEXT, "long": _LONG, "int": _INT, "boolean": bool, "double": float}
_NARROWER: dict[str, Any] = {
    "event_id": _NAME,
    "account_id": _NAME,
    "ticket_id": _NAME,
    "survey_id": _NAME,
    "alert_id": _NAME,
    "user_id": _NAME,
    "duration_ms": _SPAN,
    "latency_ms": _SPAN,
    "seats": _COUNT,
    "mrr_minor": _MONEY,
    "previous_mrr_minor": _MONEY,
    "arr_minor": _MONEY,
    "worth_minor": _MONEY,
    "features": _COUNT,
    "uptime_ppm": Annotated[int, msgspec.Meta(ge=0, le=1_000_000)],
    "country": Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")],
    "merged_into": _NAME,
    "into": _NAME,
    "target": _NAME,
    "author": _NAME,
    "reason": _NAME,
    "value": Annotated[float, msgspec.Meta(ge=0, le=100)],
    "currency": Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")],
    "csat": Annotated[int, msgspec.Meta(ge=1, le=5)],
}
_SCORES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


class Form:
    """The typed JSON form of one input topic (name without prefix)."""

    def __init__(self, topic: str, registry: Registry) -> None:
        self.topic = topic
        self._record = RECORDS[topic]
        schema = registry.readers[f"{topic}-value"]
        fields = [_field(field) for field in schema["fields"] if field["name"] != "received_at"]
        self._times = tuple(name for name, *_ in fields if name.endswith("_at"))
        self._texts = tuple(name for name, kind, *_ in fields if name not in self._times)
        form = msgspec.defstruct(self._record.__name__, fields, kw_only=True, forbid_unknown_fields=True)
        self._decoder: Decoder[Any] = Decoder(form)

    def read(self, raw: bytes | msgspec.Raw, sender: Sender) -> InputEvent:
        """Return the record in a JSON object; raise Fault with the pointer of what does not fit."""
        form = self._decoder.read(raw)
        values = msgspec.structs.asdict(form)
        if values["tenant"] not in (None, sender.tenant):
            raise Fault("the write key belongs to another tenant; leave tenant out", "/tenant")
        account_or_alias(values["account_id"], "/account_id")
        for name in self._texts:
            value = values[name]
            if isinstance(value, str) and "\0" in value:
                raise Fault("text with a NUL", f"/{name}")
        for name in self._times:
            if values[name] is not None:
                values[name] = milliseconds(values[name], f"/{name}")
        values |= {"tenant": sender.tenant, "received_at": sender.received_at}
        values["source"] = values["source"] or sender.source
        if values["occurred_at"] is None:
            values["occurred_at"] = sender.received_at
        record: Any = self._record(**values)
        _judge(record)
        return record  # type: ignore[no-any-return]


def _field(field: dict[str, Any]) -> tuple[str, Any] | tuple[str, Any, Any]:
    name, declared = field["name"], field["type"]
    if name in ("tenant", "source"):
        return name, _NAME | None, None
    if name == "occurred_at":
        return name, str | _LONG | None, None
    if name.endswith("_at"):
        return name, str | _LONG | None, None
    optional = isinstance(declared, list)
    kind = declared[1] if isinstance(declared, list) else declared
    if isinstance(kind, dict):
        symbols = tuple(s for s in kind["symbols"] if s != "unknown" or "default" in field)
        form: Any = Literal[symbols]
    else:
        form = _NARROWER.get(name) or _PLAIN[kind]
    if optional:
        return name, form | None, None
    return (name, form, field["default"]) if "default" in field else (name, form)


def _judge(record: InputEvent) -> None:
    if isinstance(record, SurveyResponse) and record.score is not None:
        if record.step == "sent":
            raise Fault("a survey that was only sent has no score", "/score")
        low, high = _SCORES[record.kind]
        if not low <= record.score <= high:
            raise Fault(f"a score of {record.kind} is {low} to {high}", "/score")
    if isinstance(record, AccountOverride) and record.target not in ("score", *MEASURES):
        fix = suggestion(record.target, list(MEASURES), "docs/measures.md")
        raise Fault(f"target is `score` or a measure; {fix}", "/target")
    if isinstance(record, AccountOverride) and _over(record):
        raise Fault("an override ends after it was said: it would never count", "/expires_at")
    if isinstance(record, AccountLink):
        if not valid_account(record.into) or is_alias(record.into):
            raise Fault("a link leads into an account, not an alias", "/into")
        if record.into == record.account_id:
            raise Fault("an account can't be merged into itself", "/into")
    if isinstance(record, AccountOverride | AlertAction) and is_alias(record.account_id):
        raise Fault("an alias has neither a score nor alerts: name the account", "/account_id")
    if isinstance(record, SupportEvent) and record.kind == "rated" and record.csat is None:
        raise Fault("rated needs csat, 1 to 5", "/csat")


def _over(said: AccountOverride) -> bool:
    return said.expires_at is not None and said.expires_at <= said.occurred_at
