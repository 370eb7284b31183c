"""Summary of a journal batch in words: a phrase for each of its events."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import UTC, datetime

from processors.measures.formats import count
from processors.observe.profile import PROFILE_FIELDS
from schemas.records import (
    AccountLink,
    AccountOverride,
    AccountProfile,
    AlertAction,
    BillingEvent,
    EngagementEvent,
    JournalBatch,
    SupportEvent,
    SurveyResponse,
)
from schemas.times import DAY

__all__ = ["batch_summary"]

_SUPPORT = {
    "replied": "customer replied to ticket {}",
    "answered": "ticket {} answered by an agent",
    "updated": "ticket {} changed",
    "moved": "ticket {} moved to another account",
    "unknown": "something happened to ticket {}",
}
_BILLING = {
    "payment_failed": "payment failed for {}",
    "invoice_issued": "invoice {} issued",
    "invoice_paid": "invoice {} paid",
    "invoice_voided": "invoice {} voided",
    "invoice_uncollectible": "invoice {} written off",
    "dispute_opened": "dispute opened for {}",
    "dispute_closed": "dispute closed for {}",
    "subscription_started": "subscription {} started",
    "subscription_updated": "subscription {} changed",
    "subscription_canceled": "subscription {} ended",
    "cancel_scheduled": "cancellation of {} scheduled",
    "cancel_withdrawn": "cancellation of {} withdrawn",
}


def batch_summary(batch: JournalBatch) -> list[str]:
    """Return a phrase for each event in a batch, and one for all of its usage."""
    return [
        *_usage(batch),
        *map(_support, batch.support),
        *map(_billing, batch.billing),
        *map(_survey, batch.surveys),
        *map(_engagement, batch.engagement),
        *map(_profile, batch.profiles),
        *map(_action, batch.actions),
        *map(_override, batch.overrides),
        *map(_link, batch.links),
        *(f"data of {transfer.origin} merged in" for transfer in batch.transfers),
        *(f"alert {each.alert.change}: {each.alert.title}" for each in batch.owner_alerts),
    ]


def _usage(batch: JournalBatch) -> Iterator[str]:
    if not batch.usage:
        return
    events = sum(cell.events for cell in batch.usage)
    users = {user for cell in batch.usage for user in array("I", cell.users)}
    errors = sum(cell.errors for cell in batch.usage)
    phrase = count(events, "usage event")
    if users:
        phrase += f" of {count(len(users), 'user')}"
    if errors:
        phrase += f", {errors:,} with an error"
    first = min(cell.day for cell in batch.usage)
    if first < batch.written_at // DAY:
        phrase += f", since {_day(first * DAY)}"
    yield phrase


def _support(event: SupportEvent) -> str:
    phrase = _SUPPORT.get(event.kind, f"ticket {{}} {event.kind}").format(event.ticket_id)
    if event.kind == "rated" and event.csat is not None:
        return f"{phrase} {event.csat} of 5"
    if event.kind == "merged" and event.merged_into is not None:
        return f"{phrase} into {event.merged_into}"
    return phrase if event.severity == "unknown" else f"{phrase} ({event.severity})"


def _billing(event: BillingEvent) -> str:
    of = (
        event.invoice_id
        if event.kind.startswith(("invoice", "payment", "dispute"))
        else event.subscription_id
    )
    phrase = _BILLING.get(event.kind, "something happened to {}").format(of or "the subscription")
    if event.kind == "cancel_scheduled" and event.cancel_at is not None:
        return f"{phrase} for {_day(event.cancel_at)}"
    return phrase


def _survey(event: SurveyResponse) -> str:
    kind = event.kind.upper() if event.kind != "unknown" else "survey"
    if event.step == "answered":
        return f"{kind} declined" if event.score is None else f"{kind} answer of {event.score}"
    return f"{kind} {'sent' if event.step == 'sent' else 'answer withdrawn'}"


def _engagement(event: EngagementEvent) -> str:
    phrase = "contact of some kind" if event.kind == "unknown" else event.kind.replace("_", " ")
    return phrase if event.name is None else f"{phrase}: {event.name}"


def _profile(event: AccountProfile) -> str:
    fields = [name for name in PROFILE_FIELDS if getattr(event, name) is not None]
    fields += [f"own.{name}" for name in event.own]
    said = [f"profile said {', '.join(fields)}"] if fields else []
    said += [f"counted {number:,} of {name}" for name, number in event.counted.items()]
    return ", ".join(said) or "profile said nothing"


def _action(event: AlertAction) -> str:
    said = event.note or event.alert_id
    match event.kind:
        case "noted":
            return f"note by {event.author}: {said}"
        case "task_set":
            due = "" if event.until is None else f", due {_day(event.until)}"
            to = "" if event.assignee is None else f" for {event.assignee}"
            return f"task{to} by {event.author}{due}: {said}"
        case "task_done":
            return f"task done by {event.author}: {said}"
        case "task_reopened":
            return f"task reopened by {event.author}: {said}"
        case _:
            return f"alert {event.kind} by {event.author}"


def _override(event: AccountOverride) -> str:
    if event.value is None:
        return f"override of {event.target} withdrawn by {event.author}"
    return f"{event.target} overridden with {event.value:g} by {event.author}: {event.reason}"


def _link(event: AccountLink) -> str:
    if event.deleted:
        by, why = f" by {event.author}" if event.author else "", f": {event.reason}" if event.reason else ""
        return f"{event.account_id} deleted{by}{why}"
    return f"{event.account_id} linked to {event.into}"


def _day(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError):
        return str(milliseconds)
