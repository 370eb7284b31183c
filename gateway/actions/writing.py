"""Writing of an action to its topic: the event of it, and its way to Kafka in time."""

from __future__ import annotations

import asyncio
import hashlib

from gateway.http.errors import HttpError
from gateway.http.sender import Sender
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.request_records import RequestRecords
from schemas.identity.action_tokens import ActionToken
from schemas.records import AlertAction
from schemas.times import DAY, HOUR

__all__ = ["SNOOZE_DAYS", "alert_action", "write_actions"]

SNOOZE_DAYS = 7
"""Days for which a message's link or button snoozes an alert."""

_SECONDS = 2.5
"""Longest wait for Kafka: Slack gives up after 3 s, and tells the person so."""


def alert_action(
    token: ActionToken, source: str, author: str, now: int, feedback: str | None = None
) -> AlertAction:
    """
    Return the action that a token permits, taken *now* (UTC milliseconds).

    The same action by the same person within the hour is the same event, so that a second click changes
    nothing.
    """
    about = f"{token.tenant} {token.alert_id} {token.kind} {author} {now // HOUR}"
    return AlertAction(
        event_id=f"{source}-{hashlib.sha256(about.encode(errors='replace')).hexdigest()[:32]}",
        tenant=token.tenant,
        account_id=token.account_id,
        source=source,
        occurred_at=now,
        received_at=now,
        alert_id=token.alert_id,
        kind=token.kind,
        author=author,
        until=now + SNOOZE_DAYS * DAY if token.kind == "snoozed" else None,
        assignee=author if token.kind == "assigned" else None,
        feedback=feedback,
    )


async def write_actions(dispatcher: Dispatcher, actions: list[AlertAction]) -> None:
    """Return once the actions are durable; raise HttpError (503) when they aren't in time."""
    if not actions:
        return
    first = actions[0]
    records = RequestRecords(Sender(first.tenant, first.source, first.received_at))
    for action in actions:
        dispatcher.accept(records, action)
    try:
        async with asyncio.timeout(_SECONDS):
            await dispatcher.send(records)
    except TimeoutError:
        raise HttpError(503, "unavailable", "Kafka did not confirm the action in time: try again") from None
