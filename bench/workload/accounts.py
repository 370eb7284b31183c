"""Accounts of three sizes, with states that the product's own fold makes from a plausible history."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import xxhash

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from schemas.inputs import batch_lists
from schemas.records import (
    AccountProfile,
    BillingEvent,
    EngagementEvent,
    JournalBatch,
    SupportEvent,
    SurveyResponse,
    UsageCell,
)
from schemas.times import DAY

__all__ = ["NOW", "SIZES", "Size", "cells", "grow", "life"]

NOW = 20_000 * DAY + DAY // 2
"""The journal time at which the history of the accounts ends: noon of a UTC day."""


@dataclass(frozen=True, slots=True)
class Size:
    """Size of an account: its people, features and days of usage, tickets, invoices and survey answers."""

    name: str
    users: int
    features: int
    days: int
    tickets: int
    invoices: int
    answers: int


SIZES = (
    Size("light", users=3, features=2, days=7, tickets=0, invoices=1, answers=0),
    Size("typical", users=25, features=8, days=60, tickets=4, invoices=3, answers=3),
    Size("heavy", users=500, features=60, days=90, tickets=80, invoices=6, answers=60),
)


def grow(size: Size, count: int, seed: int = 1) -> dict[bytes, bytes]:
    """Return the states of so many accounts by key, as the changelog holds them at ``NOW``."""
    chance = random.Random(seed)
    events = [event for n in range(count) for event in life(f"{size.name}-{n:06d}", size, NOW, chance)]
    usage = [event for event in events if isinstance(event, UsageCell)]
    others = batch_lists(event for event in events if not isinstance(event, UsageCell))
    batch = JournalBatch(sequence=0, written_at=NOW, usage=usage, **others)
    [outcome] = FoldedPartition(0, Shared()).apply([(0, batch)])
    return {key: state for key, state in outcome.states.items() if state is not None}


def cells(size: Size, count: int, seed: int) -> list[UsageCell]:
    """Return one more cell of today's usage for each account: a few events of two people."""
    chance = random.Random(seed)
    return [_cell(f"{size.name}-{n:06d}", size, NOW, chance.randint(1, 9), 2, chance) for n in range(count)]


def _cell(account: str, size: Size, now: int, events: int, people: int, chance: random.Random) -> UsageCell:
    """Return a day's usage: that of the day of *now*, before *now*."""
    day = now // DAY
    at = day * DAY + chance.randrange(now - day * DAY)
    users = sorted(
        {xxhash.xxh32_intdigest(f"{account} {chance.randrange(size.users)}".encode()) for _ in range(people)}
    )
    features = {f"feature {chance.randrange(size.features)}" for _ in range(3)}
    return UsageCell(
        tenant="acme",
        account_id=account,
        day=day,
        events=events,
        errors=events // 20,
        duration_ms=1_300 * events,
        latency_ms=90 * events,
        latencies=events,
        users=array("I", users).tobytes(),
        features=sorted(features),
        first_at=at,
        last_at=min(at + 60_000, now),
        received_at=at,
    )


def life(account: str, size: Size, now: int, chance: random.Random) -> Iterator[Any]:
    """Yield an account's usage cells and events in the months before *now*, as the journal holds them."""
    numbers = iter(range(1_000_000))

    def about(days: int) -> dict[str, Any]:
        at = now - chance.randrange(1, days) * DAY
        return {
            "event_id": f"{account}-{next(numbers)}",
            "tenant": "acme",
            "account_id": account,
            "source": "bench",
            "occurred_at": at,
            "received_at": at,
        }

    for back in range(size.days):
        yield _cell(account, size, now - back * DAY, 20 * size.users, size.users, chance)
    yield AccountProfile(
        **about(80),
        name=f"Company {account}",
        segment="mid-market",
        stage="customer",
        owner="ann@example.com",
        arr_minor=4_800_000,
        currency="EUR",
    )
    yield BillingEvent(
        **about(80),
        kind="subscription_started",
        subscription_id=f"sub_{account}",
        plan="growth",
        seats=2 * size.users,
        mrr_minor=400_000,
        currency="EUR",
        renews_at=now + 120 * DAY,
    )
    for number in range(size.invoices):
        invoice: dict[str, Any] = {
            "invoice_id": f"in_{account}_{number}",
            "amount_minor": 400_000,
            "currency": "EUR",
        }
        for kind in ("invoice_issued", "invoice_paid"):
            yield BillingEvent(**about(80), kind=kind, **invoice)
    for number in range(size.tickets):
        ticket = f"t_{account}_{number}"
        kinds = ("opened", "answered") if number % 4 == 0 else ("opened", "answered", "solved", "rated")
        for kind in kinds:
            yield SupportEvent(**about(60), ticket_id=ticket, kind=kind, severity="normal", csat=4)
    for number in range(size.answers):
        person = f"user-{number}"
        yield SurveyResponse(**about(80), survey_id="nps", user_id=person, kind="nps", score=8)
    for kind in ("touch", "meeting", "training_attended"):
        yield EngagementEvent(**about(80), kind=kind)
