"""
eWebinar: registrations for webinars and attendance, which become contacts and trainings.

The API lists all registrants, in pages; a registration changes when its registrant attends, and nothing says
when. So each round lists all of them, and tells what happened since the round before.

Source: https://api.ewebinar.com/v2 (registrants)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_of
from gateway.pulls.ewebinar.settings import EWebinarSettings
from gateway.pulls.http import HttpClient
from gateway.pulls.pull import HISTORY_MS, KIND, Cursor, Item, Page, PullError, PullSource
from gateway.sources.snapshots import Id, text_id
from schemas.records import EngagementEvent
from schemas.times import HOUR

__all__ = ["SOURCE"]

_STREAM = "registrants"
_OVERLAP_MS = HOUR
"""How much later than it happened an attendance may show in the list."""

_TIMES = {"registered": "registeredTime", "attended": "joinedTime"}


class EWebinarRegistrant(msgspec.Struct, rename="camel"):
    """A registrant of a webinar."""

    id: Id = None
    email: str | None = None
    webinar_title: str | None = None
    registered_time: str | None = None
    joined_time: str | None = None


_REGISTRANTS: Decoder[EWebinarRegistrant] = Decoder(EWebinarRegistrant)


class EWebinarConnection:
    """A connection by an API token."""

    def __init__(self, settings: EWebinarSettings) -> None:
        self._http = HttpClient(
            settings.url, timeout_seconds=settings.timeout_seconds, requests_per_second=2.0
        )
        self._http.headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def page(self, _stream: str, cursor: Cursor, now: int, /) -> Page:
        """
        Return the next page of a round.

        The cursor is ``since``, what happened before which is told; while a round goes on also ``began``, its
        beginning, and ``page``, the API's cursor.
        """
        since, began = cursor.get("since", now - HISTORY_MS), cursor.get("began", now)
        params = {"nextCursor": cursor["page"]} if "page" in cursor else None
        answer = self._http.get("/v2/registrants", params)
        registrants = answer.get("registrants") if isinstance(answer, dict) else None
        if not isinstance(registrants, list):
            raise PullError("eWebinar's answer has no list of registrants")
        items = [
            Item(kind, msgspec.json.encode(each))
            for each in registrants
            for kind, name in _TIMES.items()
            if _is_due(each, name, since)
        ]
        following = answer.get("nextCursor")
        if following and registrants and following != cursor.get("page"):
            return Page(items, {"since": since, "began": began, "page": str(following)}, more=True)
        return Page(items, {"since": began - _OVERLAP_MS}, more=False)


def _is_due(registrant: Any, name: str, since: int) -> bool:
    """Tell whether something happened since then; what can't be read is told, and becomes a dead letter."""
    value = registrant.get(name) if isinstance(registrant, dict) else None
    try:
        return value is not None and value != "" and milliseconds(value, "") >= since
    except (Fault, TypeError):
        return True


def to_record(raw: bytes, sender: Sender, said: Mapping[str, bytes]) -> EngagementEvent | None:
    """Return the record of a registration or an attendance; raise Fault."""
    registrant = _REGISTRANTS.read(raw)
    attended = said.get(KIND) == b"attended"
    value = registrant.joined_time if attended else registrant.registered_time
    if not value:
        return None
    at = milliseconds(value, "/joinedTime" if attended else "/registeredTime")
    number = text_id(registrant.id)
    if number is None:
        raise Fault("the registrant's id is missing", "/id")
    if at < sender.received_at - HISTORY_MS:
        return None
    email = (registrant.email or "").strip().lower()
    title = (registrant.webinar_title or "").replace("\0", "")[:256]
    return EngagementEvent(
        event_id=f"{number}-{'attended' if attended else 'registered'}-{at}",
        tenant=sender.tenant,
        account_id=account_of("/email", email=email or None),
        source=sender.source,
        occurred_at=at,
        received_at=sender.received_at,
        user_id=email,
        kind="training_attended" if attended else "touch",
        name=title or None,
    )


SOURCE = PullSource(
    name="ewebinar",
    title="eWebinar",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/id",
            "/registeredTime",
            "/joinedTime",
        ),
        kept=(
            "/email",
            "/webinarTitle",
        ),
        dropped=(
            "/firstName",
            "/lastName",
            "/name",
        ),
    ),
    settings=EWebinarSettings,
    streams=lambda _: (_STREAM,),
    connect=EWebinarConnection,
    topics=dict.fromkeys(_TIMES, "engagement.events"),
)
