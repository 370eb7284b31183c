"""
A seeded company, day by day: the events of its accounts, what is sent on each day, and the exact totals.

Accounts have fates: they fall silent, come back, cancel, fail to pay, wait for support. Whatever changes a
score or opens an alert lies a day from the next such event, so that it doesn't matter how the events of a day
are cut into batches. One usage event in a hundred is sent three days late.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from processors.alerts.changes import alert_id
from schemas.records import UsageEvent
from schemas.times import DAY, HOUR

__all__ = ["DAYS", "TENANT", "ChaosCompany", "Day"]

TENANT = "demo"
DAYS = 26
"""Long enough for a silence of 14 days after two normal weeks."""

_START = 20_000 * DAY + 12 * HOUR
_LATE_DAYS = 3
_EVENTS_OF_FATE: dict[str, list[tuple[int, str, dict[str, Any]]]] = {
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
    """The events of a day: usage directly to Kafka, others by topic over HTTP; ``now`` is its time."""

    now: int
    first: bool
    usage: list[UsageEvent]
    typed: dict[str, list[dict[str, Any]]]

    @property
    def count(self) -> int:
        """The number of events sent on the day."""
        return len(self.usage) + sum(map(len, self.typed.values()))


@dataclass(slots=True)
class ChaosCompany:
    """A company with about ``events`` usage events of so many accounts; one seed gives one company."""

    seed: int
    events: int
    accounts: int
    fates: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(f"fates {self.seed}")
        kinds = sorted(_EVENTS_OF_FATE)
        self.fates = {f"acct-{number:05d}": chance.choice(kinds) for number in range(self.accounts)}

    def days(self) -> Iterator[Day]:
        """Yield every day in order."""
        for number in range(DAYS):
            late = self._usage(number - _LATE_DAYS, late=True) if number >= _LATE_DAYS else []
            yield Day(_START + number * DAY, not number, [*self._usage(number), *late], self._typed(number))

    def totals(self) -> dict[tuple[str, str], int]:
        """Return the number of events of every (tenant, account) when each counts once."""
        totals = {(TENANT, account): 0 for account in self.fates}
        for day in self.days():
            for event in day.usage:
                totals[TENANT, event.account_id] += 1
            for events in day.typed.values():
                for typed in events:
                    totals[TENANT, typed["account_id"]] += 1
        return totals

    def _usage(self, number: int, *, late: bool = False) -> list[UsageEvent]:
        """Return the usage of a day that is sent on the day itself, or the usage of it that is sent late."""
        chance = random.Random(f"usage {self.seed} {number}")
        now, each = _START + number * DAY, max(1, self.events // (self.accounts * DAYS))
        events = []
        for account, fate in self.fates.items():
            used = number < _SILENT_FROM.get(fate, DAYS) or number >= _BACK_FROM.get(fate, DAYS)
            for serial in range(each):
                # The first event of an account is never late: a late event must not end a silence.
                drawn, user, feature = chance.random(), chance.randrange(12), chance.randrange(6)
                is_late = drawn < 0.01 and serial > 0 and number < 6
                at = now - chance.randrange(30 * 60_000)
                if used and is_late == late:
                    events.append(
                        UsageEvent(
                            event_id=f"u-{number}-{account}-{serial}",
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
        events: dict[str, list[dict[str, Any]]] = {}
        for account, fate in self.fates.items():
            for day, topic, fields in [*_events_of_everyone(account), *_EVENTS_OF_FATE[fate]]:
                if day != number:
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
                events.setdefault(topic, []).append(event)
        return events


def _events_of_everyone(account: str) -> list[tuple[int, str, dict[str, Any]]]:
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
