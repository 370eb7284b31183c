"""Touchpoints: contacts between the team and a customer, as somebody of the team tells of them."""

from __future__ import annotations

import uuid

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.kafka.event_writing import write_event
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.settings import Settings
from processors.intake.admission import HORIZON_DAYS, MAX_TEXT
from schemas.inputs import ENGAGEMENT
from schemas.records import EngagementEvent
from schemas.times import DAY, iso

__all__ = ["TOUCHPOINTS", "TouchpointError", "write_touchpoint"]

TOUCHPOINTS = {
    "touch": "Call or chat",
    "meeting": "Meeting",
    "email_sent": "E-mail sent",
    "email_received": "E-mail received",
    "training_attended": "Training attended",
}
"""The kinds of touchpoints, with their names for people."""

_SOURCE = "bellbuoy"


class TouchpointError(OperatorError):
    """A touchpoint lacks something, or has what the journal would refuse; the message says what."""

    exit_code = CONFIGURATION


def write_touchpoint(
    settings: Settings,
    tenant: str,
    account_id: str,
    kind: str,
    *,
    author: str,
    about: str,
    at: int | None = None,
    contact: str | None = None,
    event_id: str = "",
) -> EngagementEvent:
    """
    Write a touchpoint, and return its event once Kafka has confirmed it.

    ``at`` is when it was, UTC milliseconds (``None``: now), ``contact`` the customer's person. With the same
    ``event_id`` a repeated one counts once. Raises TouchpointError, and KafkaAwayError, after which it may
    have been written or not.
    """
    now = journal_time(settings)
    when = now if at is None else at
    if kind not in TOUCHPOINTS:
        raise TouchpointError(f"{kind!r} is no touchpoint: it is one of {', '.join(TOUCHPOINTS)}")
    name = f"{about.strip()} ({author})"
    if not about.strip() or len(name) > MAX_TEXT:
        raise TouchpointError(f"say what it was about, in 1 to {MAX_TEXT - len(author) - 3:,} characters")
    if not now - HORIZON_DAYS * DAY < when <= now:
        raise TouchpointError(f"{iso(when)} is not within the last {HORIZON_DAYS} days")
    event = EngagementEvent(
        event_id=event_id or uuid.uuid4().hex,
        tenant=tenant,
        account_id=account_id,
        source=_SOURCE,
        occurred_at=when,
        received_at=now,
        user_id=contact or None,
        kind=kind,
        name=name,
    )
    write_event(settings, ENGAGEMENT.topic, event)
    return event
