"""Decide of events that arrive whether they tell of somebody who was erased after they occurred."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from processors.intake.columnar_admission import Names
from processors.state.parts import brief
from schemas.identity.erasures import Erasure, Erasures
from schemas.inputs import ACCOUNT_FIELDS, USAGE
from schemas.records import AccountProfile, JournalBatch, UsageCell
from schemas.times import DAY

__all__ = ["is_of_erased", "not_erased", "without_erased_owner", "without_erased_people"]

_PEOPLE = ("user_id", "author")
"""Fields that name the person whom an event is of."""


def is_of_erased(event: Mapping[str, Any], erasures: Erasures) -> bool:
    """
    Tell whether an event, given as decoded fields, is of an erased account or person, and of before that.

    A deletion itself is none.
    """
    if event.get("deleted"):
        return False
    tenant, at = event["tenant"], event["occurred_at"]
    for account_id in (event["account_id"], event.get("into") or ""):
        entry = erasures.of(tenant, account_id)
        if entry is not None and (at <= entry.erased_at or _by_erased_person(event, entry)):
            return True
    return False


def without_erased_owner(event: dict[str, Any], erasures: Erasures) -> dict[str, Any]:
    """Return a profile, given as decoded fields, without an owner who was erased after it occurred."""
    owner = event.get("owner")
    entry = erasures.of(event["tenant"], event["account_id"]) if owner else None
    if entry is None or not owner:
        return event
    until = entry.of_person(event["tenant"], event["account_id"], brief(owner))
    return event | {"owner": None} if event["occurred_at"] <= until else event


def without_erased_people(
    batch: JournalBatch, tenant: str, account_id: str, erasures: Erasures
) -> JournalBatch:
    """Return a journal batch in which this account's erased people did nothing up to their erasure."""
    entry = erasures.of(tenant, account_id)
    if entry is None or not entry.people:
        return batch

    def until(name: str | None) -> int:
        return entry.of_person(tenant, account_id, brief(name)) if name else -1

    changed: dict[str, Any] = {
        "usage": [_without_users(cell, tenant, account_id, entry) for cell in batch.usage]
    }
    for field in ACCOUNT_FIELDS:
        events = getattr(batch, field)
        if field == USAGE.batch_field or not events:
            continue
        kept = []
        for said in events:
            event = said
            if (event.tenant, event.account_id) == (tenant, account_id):
                people = (getattr(event, name, None) for name in _PEOPLE)
                if any(event.occurred_at <= until(name) for name in people):
                    continue
                if isinstance(event, AccountProfile) and event.occurred_at <= until(event.owner):
                    event = replace(event, owner=None)
            kept.append(event)
        changed[field] = kept
    return replace(batch, **changed)


def _without_users(cell: UsageCell, tenant: str, account_id: str, entry: Erasure) -> UsageCell:
    if (cell.tenant, cell.account_id) != (tenant, account_id):
        return cell
    users = np.frombuffer(cell.users, "<u4")
    kept = [cell.day * DAY > entry.of_person(tenant, account_id, user) for user in users.tolist()]
    return replace(cell, users=users[np.array(kept, np.bool_)].tobytes())


def not_erased(events: NDArray[Any], names: Names, erasures: Erasures) -> NDArray[np.bool_]:
    """Return of each usage event (``USAGE``) whether it is of nobody who was erased after it occurred."""
    kept = np.ones(len(events), np.bool_)
    if not erasures:
        return kept
    accounts = list(names.accounts)
    for number in np.unique(events["account"]).tolist():
        tenant, account_id = accounts[number]
        entry = erasures.of(tenant, account_id)
        if entry is None:
            continue
        ours = events["account"] == number
        kept[ours & (events["occurred_at"] <= entry.erased_at)] = False
        for person in np.unique(events["user"][ours]).tolist() if entry.people else ():
            until = -1 if person < 0 else entry.of_person(tenant, account_id, person)
            kept[ours & (events["user"] == person) & (events["occurred_at"] <= until)] = False
    return kept


def _by_erased_person(event: Mapping[str, Any], entry: Erasure) -> bool:
    named = (event.get(field) for field in _PEOPLE)
    return any(
        event["occurred_at"] <= entry.of_person(event["tenant"], event["account_id"], brief(name))
        for name in named
        if name
    )
