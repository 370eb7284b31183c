"""
Wootric (InMoment): webhooks about answers to surveys, as JSON or as a form. Pure.

An answer that is changed comes again, whole: it takes the place of the one before.

Source: https://docs.wootric.com/webhooks/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_of
from gateway.sources.signatures import HmacScheme
from gateway.sources.snapshots import MAX_VENDOR_TEXT, Id, text_id
from gateway.sources.source import WebhookSource
from schemas.records import SurveyResponse

__all__ = ["SOURCE"]

_KEY = re.compile(r"\[([^\[\]]*)\]")
_OFFSET = re.compile(r" ([+-]\d{4})$")
_MAX_FIELDS = 200
_KINDS = {"NPS": ("nps", 0, 10), "CSAT": ("csat", 1, 5), "CES": ("ces", 1, 7)}
_ACCOUNTS = ("account_id", "company_id", "group_id")
"""The end user's properties of which the first that is set names the account."""


class WootricAnswer(msgspec.Struct):
    """An answer, or the refusal of one, which has no score."""

    id: Id = None
    email: str | None = None
    external_id: Id = None
    score: Id = None
    text: str | None = None
    end_user_id: Id = None
    end_user_properties: Any = None
    survey_id: Id = None
    created_at: str | None = None
    updated_at: str | None = None
    excluded_from_calculations: bool | str | None = None


class WootricEvent(msgspec.Struct):
    """An event about one of the two."""

    event_name: str
    response: WootricAnswer | None = None
    decline: WootricAnswer | None = None
    timestamp: str | None = None
    survey_mode: str | None = None


_EVENTS: Decoder[WootricEvent] = Decoder(WootricEvent, lax=True)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body as JSON, also that of a form; raise Fault."""
    event = body if body.lstrip()[:1] in (b"{", b"") else _form(body)
    said = _EVENTS.read(event)
    if said.response is None and said.decline is None:
        raise Fault("neither a response nor a decline", "/response")
    return [event]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> SurveyResponse | None:
    """Return the record of an answer or of a refusal; raise Fault."""
    event = _EVENTS.read(raw)
    part, answer = (
        ("response", event.response) if event.response else ("decline", event.decline or WootricAnswer())
    )
    kind, low, high = _KINDS.get((event.survey_mode or "NPS").upper(), (None, 0, 0))
    if kind is None:
        return None
    survey, user = text_id(answer.survey_id), text_id(answer.external_id) or answer.email
    if survey is None:
        raise Fault("the survey's id is missing", f"/{part}/survey_id")
    created = _time(answer.created_at or event.timestamp, f"/{part}/created_at")
    updated = _time(answer.updated_at, f"/{part}/updated_at")
    excluded = answer.excluded_from_calculations in (True, "true") or event.event_name == "deleted"
    edited = event.event_name == "updated" or excluded
    own = answer.end_user_properties if isinstance(answer.end_user_properties, dict) else {}
    account = next((str(own[name]) for name in _ACCOUNTS if isinstance(own.get(name), str | int)), None)
    return SurveyResponse(
        event_id=f"{part}-{answer.id}-{event.event_name}-{updated or 0}",
        tenant=sender.tenant,
        account_id=account_of(
            f"/{part}/external_id", account=account, user=text_id(answer.external_id), email=answer.email
        ),
        source=sender.source,
        occurred_at=sender.received_at if created is None else created,
        received_at=sender.received_at,
        survey_id=survey,
        user_id=user,
        kind=kind,
        score=_score(answer.score, low, high, part),
        comment=(answer.text or "").replace("\0", "")[:MAX_VENDOR_TEXT] or None,
        step="withdrawn" if excluded else "answered",
        edited_at=(updated or sender.received_at) if edited else None,
    )


def _score(value: Id, low: int, high: int, part: str) -> int | None:
    if value in (None, ""):
        return None
    text = str(value)
    if not text.isdecimal() or not low <= int(text[:4]) <= high:
        raise Fault(f"a score is {low} to {high}", f"/{part}/score")
    return int(text)


def _time(text: str | None, pointer: str) -> int | None:
    """Return a time in ISO 8601, or in Ruby's form with a space before the offset."""
    return None if text is None else milliseconds(_OFFSET.sub(r"\1", text), pointer)


def _form(body: bytes) -> bytes:
    """Return a form as JSON: ``response[score]=7`` is the field score of the object response."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Fault(f"neither JSON nor a form: {error}") from error
    event: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = [name.partition("[")[0], *_KEY.findall(name)]
        place = event
        for key in (first, *rest[:-1])[: len(rest)]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise Fault("a field is text and an object at once", f"/{first}")
            place = inner
        place[rest[-1] if rest else first] = value
    return msgspec.json.encode(event)


SOURCE = WebhookSource(
    name="wootric",
    title="Wootric (InMoment)",
    topic="survey.responses",
    signature_scheme=lambda: HmacScheme(header="x-wootric-signature", digest="sha1", prefix="sha1="),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/event_name",
            "/timestamp",
            "/survey_mode",
            "/response/id",
            "/response/survey_id",
            "/response/score",
            "/response/created_at",
            "/response/updated_at",
            "/response/excluded_from_calculations",
            "/decline/id",
            "/decline/survey_id",
            "/decline/score",
            "/decline/created_at",
            "/decline/updated_at",
            "/decline/excluded_from_calculations",
        ),
        kept=(
            "/response/external_id",
            "/decline/external_id",
            "/response/end_user_properties/account_id",
            "/response/end_user_properties/company_id",
            "/response/end_user_properties/group_id",
            "/decline/end_user_properties/account_id",
            "/decline/end_user_properties/company_id",
            "/decline/end_user_properties/group_id",
        ),
        hashed=(
            "/response/email",
            "/decline/email",
        ),
        dropped=(
            "/response/text",
            "/response/end_user_properties/*",
            "/response/ip_address",
        ),
    ),
    demo_secret="wootric-demo",  # noqa: S106 - published
)
