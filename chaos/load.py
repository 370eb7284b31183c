"""
A seeded company, day by day: what its accounts do, what is sent of it, and what it sums to.

Accounts have fates: they fall silent, come back, cancel, fail to pay, wait for support. Whatever turns a
score or opens an alert lies a day from the next such thing, so that it doesn't matter how the events of a day
are cut into batches. One usage event in a hundred is sent three days late.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from processors.alerts.episodes import alert_id
from schemas.records import UsageEvent
from schemas.times import DAY, HOUR

__all__ = ["DAYS", "TENANT", "Company", "Day"]

TENANT = "demo"
DAYS = 26
"""Long enough for a silence of 14 days after a usual fortnight."""

_START = 20_000 * DAY + 12 * HOUR
_LATE_DAYS = 3
_HAPPENINGS: dict[str, list[tuple[int, str, dict[str, Any]]]] = {
    "steady": [
        (5, "engagement.events", {"kind": "meeting"}),
        (8, "survey.responses", {"survey_id": "nps", "kind": "nps", "score": 9}),
        (15, "survey.responses", {"survey_id": "csat", "kind": "csat", "score": 4}),
    ],
    "silent": [],
    "back": [(20, "engagement.events", {"kind": "touch"})],
    "cancels": [
        (9, "survey.responses", {"survey_id": "nps", "kind": "nps", "score": 3}),
        (12, "billing.events", {"kind": "cancel_scheduled", "subscription_id": "sub"}),
    ],
    "stays": [
        (11, "billing.events", {"kind": "cancel_scheduled", "subscription_id": "sub"}),
        (17, "billing.events", {"kind": "cancel_withdrawn", "subscription_id": "sub"}),
    ],
    "fails": [
        (6, "billing.events", {"kind": "invoice_issued", "invoice_id": "in", "amount_minor": 90_000}),
        (8, "billing.events", {"kind": "payment_failed", "invoice_id": "in"}),
        (10, "billing.events", {"kind": "payment_failed", "invoice_id": "in"}),
        (12, "billing.events", {"kind": "payment_failed", "invoice_id": "in"}),
        (19, "billing.events", {"kind": "invoice_paid", "invoice_id": "in"}),
    ],
    "urgent": [
        (9, "support.events", {"kind": "opened", "ticket_id": "t", "severity": "urgent"}),
        (13, "alert.actions", {"kind": "acknowledged", "author": "kim", "alert_id": "urgent_ticket"}),
        (16, "support.events", {"kind": "solved", "ticket_id": "t", "severity": "urgent"}),
    ],
}
_SILENT_FROM = {"silent": 8, "back": 9}
_BACK_FROM = {"back": 20}


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it is sent: the time, whether it is the first, usage for Kafka, the rest by topic for HTTP."""

    now: int
    first: bool
    usage: list[UsageEvent]
    typed: dict[str, list[dict[str, Any]]]

    @property
    def count(self) -> int:
        """How many events that is."""
        return len(self.usage) + sum(map(len, self.typed.values()))


@dataclass(slots=True)
class Company:
    """``events`` usage events, about, of so many accounts; the same seed is the same company."""

    seed: int
    events: int
    accounts: int
    fates: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(f"fates {self.seed}")
        kinds = sorted(_HAPPENINGS)
        self.fates = {f"acct-{number:05d}": chance.choice(kinds) for number in range(self.accounts)}

    def days(self) -> Iterator[Day]:
        """Yield every day in its order."""
        for number in range(DAYS):
            late = self._usage(number - _LATE_DAYS, late=True) if number >= _LATE_DAYS else []
            yield Day(_START + number * DAY, not number, [*self._usage(number), *late], self._typed(number))

    def totals(self) -> dict[tuple[str, str], int]:
        """Return how many events every account sums to when each counts once, by tenant and account."""
        found = {(TENANT, account): 0 for account in self.fates}
        for day in self.days():
            for event in day.usage:
                found[TENANT, event.account_id] += 1
            for events in day.typed.values():
                for typed in events:
                    found[TENANT, typed["account_id"]] += 1
        return found

    def _usage(self, number: int, *, late: bool = False) -> list[UsageEvent]:
        """Return what happened on a day and is sent on it, or what of it is sent late."""
        chance = random.Random(f"usage {self.seed} {number}")
        now, each = _START + number * DAY, max(1, self.events // (self.accounts * DAYS))
        events = []
        for account, fate in self.fates.items():
            used = number < _SILENT_FROM.get(fate, DAYS) or number >= _BACK_FROM.get(fate, DAYS)
            for one in range(each):
                # The first of an account is never late: a late one must not end a silence.
                drawn, user, feature = chance.random(), chance.randrange(12), chance.randrange(6)
                is_late = drawn < 0.01 and one > 0 and number < 6
                at = now - chance.randrange(30 * 60_000)
                if used and is_late == late:
                    events.append(
                        UsageEvent(
                            event_id=f"u-{number}-{account}-{one}",
                            tenant=TENANT,
                            account_id=account,
                            source="chaos",
                            occurred_at=at,
                            received_at=at,
                            user_id=f"user-{user}",
                            name="Report Exported",
                            feature=f"feature {feature}",
                            duration_ms=1_200,
                            latency_ms=80,
                        )
                    )
        return events

    def _typed(self, number: int) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for account, fate in self.fates.items():
            for happens, topic, fields in [*_everyone(account), *_HAPPENINGS[fate]]:
                if happens != number:
                    continue
                event = {
                    "event_id": f"{topic}-{number}-{account}",
                    "account_id": account,
                    "source": "chaos",
                    "occurred_at": _START + number * DAY - 60_000,
                    **fields,
                }
                if topic == "alert.actions":
                    event["alert_id"] = alert_id(TENANT, account, fields["alert_id"], 1)
                found.setdefault(topic, []).append(event)
        return found


def _everyone(account: str) -> list[tuple[int, str, dict[str, Any]]]:
    renews_at = _START + 200 * DAY
    return [
        (0, "account.profiles", {"name": f"Company {account}", "segment": "smb", "owner": "ann@example.com"}),
        (
            0,
            "billing.events",
            {
                "kind": "subscription_started",
                "subscription_id": "sub",
                "plan": "growth",
                "seats": 20,
                "mrr_minor": 90_000,
                "currency": "EUR",
                "renews_at": renews_at,
            },
        ),
    ]
