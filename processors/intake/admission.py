"""Decide whether a decoded event may enter the journal, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import xxhash

from processors.intake.own_facts import own_refusals
from processors.state.account import RING_DAYS
from processors.state.account_acts import ACCOUNT_ACTS, MAX_NOTE, MAX_TITLE
from processors.state.encoding import decode_state
from schemas.identity.aliases import ALIAS, ALIAS_FORMS, is_alias, known_alias
from schemas.identity.keys import valid_account, valid_tenant
from schemas.identity.owners import OWNERS
from schemas.times import DAY, MINUTE

__all__ = [
    "BOUNDS",
    "FUTURE_MINUTES",
    "HORIZON_DAYS",
    "MAX_MODEL_TEXT",
    "MAX_TEXT",
    "Admission",
    "NotAdmitted",
    "account_act_refusals",
    "admit",
    "identity",
    "refusals",
    "time_refusal",
]

_MONEY = 10**15
BOUNDS = {
    "duration_ms": (0, 366 * DAY),
    "latency_ms": (0, DAY),
    "csat": (1, 5),
    "score": (0, 10),
    "amount_minor": (-_MONEY, _MONEY),
    "mrr_minor": (0, _MONEY),
    "previous_mrr_minor": (0, _MONEY),
    "arr_minor": (0, _MONEY),
    "worth_minor": (0, _MONEY),
    "seats": (0, 10_000_000),
    "features": (0, 1_000_000),
    "uptime_ppm": (0, 1_000_000),
    "due_at": (0, 2**45),
    "started_at": (0, 2**45),
    "edited_at": (0, 2**45),
    "renews_at": (0, 2**45),
    "cancel_at": (0, 2**45),
    "opened_at": (0, 2**45),
    "attempts": (0, 1_000_000),
    "received_at": (0, 2**45),
    "expires_at": (0, 2**45),
    "value": (0, 100),
    "person": (0, 2**32 - 1),
}
"""Inclusive ranges: no honest event lies outside, and no sum of honest ones leaves 64 bits."""

HORIZON_DAYS = RING_DAYS
"""Days for which a late event counts at most: the daily buckets reach no further back."""

FUTURE_MINUTES = 60
"""Minutes by which an event may be ahead of now, unless the settings say otherwise."""

MAX_TEXT = 1_024
"""Characters of a text field of an event, unless the field is for prose; a longer one is `invalid`."""

MAX_MODEL_TEXT = 262_144
"""Characters of a model that is put in force; a longer one is `invalid`."""

_LONG_TEXT = {"comment": 32_768, "note": 32_768, "subject": 4_096, "text": MAX_MODEL_TEXT}


def identity(tenant: str, source: str, event_id: str) -> int:
    """
    Return 64 bits that stand for an event; two events of one input with the same bits are one event.

    XXH64 of the event id, seeded with that of the source, seeded with that of the tenant.
    """
    seed = xxhash.xxh64_intdigest(source.encode(), xxhash.xxh64_intdigest(tenant.encode()))
    return xxhash.xxh64_intdigest(event_id.encode(), seed)


@dataclass(frozen=True, slots=True)
class Admission:
    """Limits in milliseconds around now: how far back and how far ahead an event may lie."""

    horizon_ms: int = HORIZON_DAYS * DAY
    future_ms: int = FUTURE_MINUTES * MINUTE


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """The refusal of an event: a reason of the dead letters' closed set, words, and the field at fault."""

    reason: str
    detail: str
    pointer: str | None


def admit(event: Mapping[str, Any], now: int, limits: Admission) -> NotAdmitted | None:
    """
    Return the first reason why this event may not enter the journal, or ``None``.

    Takes decoded fields of any input schema; *now* is the time the batch will carry, UTC milliseconds.
    """
    return next(refusals(event, now, limits), None)


def refusals(event: Mapping[str, Any], now: int, limits: Admission) -> Iterator[NotAdmitted]:
    """Yield every reason why an event may not enter the journal."""
    if not valid_tenant(event["tenant"]):
        yield NotAdmitted("invalid", "a tenant is 1-63 of a-z, 0-9, _ and -", "/tenant")
    account_id = event["account_id"]
    if not valid_account(account_id):
        yield NotAdmitted("invalid", "an account id is 1-256 printable characters", "/account_id")
    elif is_alias(account_id) and not known_alias(account_id) and not _of_owners(event):
        yield NotAdmitted(
            "invalid", f"an account id that begins with {ALIAS} is {ALIAS_FORMS}", "/account_id"
        )
    if not event["event_id"]:
        yield NotAdmitted("invalid", "the event id is empty, so a retry could not be recognised", "/event_id")
    for field, value in event.items():
        if isinstance(value, str):
            if len(value) > MAX_TEXT and len(value) > (limit := _LONG_TEXT.get(field, MAX_TEXT)):
                yield NotAdmitted("invalid", f"{len(value)} characters, at most {limit}", f"/{field}")
        elif value is not None and field in BOUNDS:
            low, high = BOUNDS[field]
            if not low <= value <= high:
                yield NotAdmitted("invalid", f"{value} is outside {low}..{high}", f"/{field}")
    if "own" in event:
        for pointer, why in own_refusals(event["own"], event["counted"]):
            yield NotAdmitted("invalid", why, pointer)
    if "into" in event:
        yield from _link_refusals(event)
    if event.get("kind") in ACCOUNT_ACTS:
        yield from account_act_refusals(event)
    if "origin" in event:
        yield from _transfer_refusals(event)
        return  # what it holds was admitted before
    if "alert" in event or "newly_short" in event:
        return  # the worker made it, at the journal's time
    if (refusal := time_refusal(event["occurred_at"], now, limits)) is not None:
        yield refusal


def _of_owners(event: Mapping[str, Any]) -> bool:
    """Tell whether this is an alert on its way to the owners, an act on one of theirs, or an erasure."""
    about = "alert" in event or "alert_id" in event or event.get("person") is not None
    return event["account_id"] == OWNERS and about


def time_refusal(occurred_at: int, now: int, limits: Admission) -> NotAdmitted | None:
    """Return why an event of this time (UTC milliseconds) may not enter the journal at *now*, or ``None``."""
    if occurred_at < max(0, now - limits.horizon_ms):
        days = (now - occurred_at) // DAY
        return NotAdmitted(
            "too_late", f"{days} days old, the rings reach {limits.horizon_ms // DAY}", "/occurred_at"
        )
    if occurred_at > now + limits.future_ms:
        ahead = (occurred_at - now) // MINUTE
        return NotAdmitted("from_future", f"{ahead} minutes ahead of the journal's time", "/occurred_at")
    return None


def _link_refusals(event: Mapping[str, Any]) -> Iterator[NotAdmitted]:
    into = event["into"]
    if event["deleted"]:
        if into:
            yield NotAdmitted("invalid", "a deletion leads nowhere: leave `into` empty", "/into")
        return
    if event.get("person") is not None:
        yield NotAdmitted("invalid", "only a deletion names a person", "/person")
    if not valid_account(into) or is_alias(into):
        yield NotAdmitted("invalid", "a link leads into an account, not an alias", "/into")
    if into == event["account_id"]:
        yield NotAdmitted("invalid", "an account can't be merged into itself", "/into")


def account_act_refusals(event: Mapping[str, Any]) -> Iterator[NotAdmitted]:
    """Yield why a note or a task may not enter: what it says must be there, and not longer than it may be."""
    kind, text = event["kind"], event["note"] or ""
    if not event["author"].strip():
        yield NotAdmitted("invalid", "nobody is named as its author", "/author")
    if kind != "noted" and not event["alert_id"]:
        yield NotAdmitted("invalid", "it isn't said which task it is", "/alert_id")
    if kind in ("noted", "task_set"):
        limit = MAX_NOTE if kind == "noted" else MAX_TITLE
        if not text.strip():
            yield NotAdmitted("invalid", "it says nothing", "/note")
        elif len(text) > limit:
            yield NotAdmitted("invalid", f"{len(text)} characters, at most {limit}", "/note")
    if kind == "task_set" and event["until"] is not None and not 0 <= event["until"] <= 2**45:
        yield NotAdmitted("invalid", f"{event['until']} is outside 0..{2**45}", "/until")


def _transfer_refusals(event: Mapping[str, Any]) -> Iterator[NotAdmitted]:
    try:
        state = decode_state(event["state"])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield NotAdmitted("invalid", f"not a state: {error}", "/state")
        return
    if (state.tenant, state.account_id) != (event["tenant"], event["origin"]):
        yield NotAdmitted("invalid", "the state of another account", "/state")
