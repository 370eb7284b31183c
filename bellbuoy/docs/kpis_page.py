"""
Every KPI with what the product says of it: measures, unit, window, source, and a line of real output.

The lines come from the accounts of a simulated company and, for what that company doesn't send, from two
sample accounts made by hand; all go through the same fold as live events do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from bellbuoy.render.formats import number
from bellbuoy.simulator.world.company import Company
from bellbuoy.simulator.world.feed import Feed
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.intake.usage_rollup_rows import roll_up
from processors.measures import MEASURES
from processors.model import DEFAULT
from schemas import records as r
from schemas.inputs import batch_lists
from schemas.times import DAY, MINUTE

__all__ = ["KPIS", "OTHER", "SAMPLE", "Line", "lines", "page"]

SAMPLE, OTHER = "Sample account", "Other sample"
"""The accounts made by hand."""

KPIS: dict[str, tuple[str, ...]] = {
    "Product errors": ("performance.errors",),
    "Product latency": ("performance.latency", "performance.slowdown"),
    "Product uptime": ("performance.uptime",),
    "Logins": ("usage.logins",),
    "Regularity": ("usage.regularity",),
    "Session length": ("usage.session",),
    "Goals met": ("value.goals",),
    "Customer ROI": ("value.roi",),
    "Usage frequency": ("usage.frequency", "usage.silence", "usage.drop"),
    "Usage breadth": ("usage.breadth",),
    "Usage depth": ("usage.depth",),
    "DAU/MAU": ("usage.stickiness",),
    "Unused features": ("usage.unused",),
    "Anomaly against the same weekdays": ("usage.anomaly",),
    "Seat utilisation by tenure": ("seats.adoption", "account.tenure", "revenue.tenure"),
    "Champion activity": ("engagement.champion", "engagement.champion_left"),
    "Sponsor activity": ("engagement.sponsor", "engagement.sponsor_gone"),
    "Days since the last key action": ("usage.key_action",),
    "Churn, cancel and downgrade signals": ("billing.signals", "billing.commitment", "billing.cancellation"),
    "Renewal proximity": ("billing.renewal",),
    "Failed payments (involuntary)": ("billing.payment", "billing.disputes"),
    "Overdue (involuntary)": ("billing.overdue", "billing.owed"),
    "MRR": ("revenue.mrr",),
    "ARPU": ("revenue.arpu",),
    "CLV": ("revenue.lifetime_value",),
    "Gross retention": ("revenue.gross_retention", "revenue.before"),
    "Net retention": ("revenue.net_retention",),
    "Expansion headroom": ("seats.headroom",),
    "NPS": ("surveys.nps", "surveys.detractors"),
    "CSAT": ("surveys.csat",),
    "CES": ("surveys.ces",),
    "Silence after surveys": ("surveys.silence",),
    "First-contact resolution": ("support.first_contact",),
    "Open ticket age by severity": ("support.urgent", "support.high", "support.other", "support.open"),
    "Reopened tickets": ("support.reopened",),
    "Escalation": ("support.escalated",),
    "Time to first response": ("support.first_response",),
    "Time to resolution": ("support.resolution",),
    "E-mail reply latency": ("engagement.reply_latency",),
    "Customer silence": ("engagement.silence",),
    "Onboarding milestones": ("onboarding.progress",),
    "Onboarding stall": ("onboarding.stall", "onboarding.stalled"),
    "Training": ("onboarding.training",),
    "Last touch": ("engagement.last_touch",),
    "Qualitative feedback": ("voice.feedback",),
    "Community and advocacy": ("voice.advocacy",),
}
"""The measures of each KPI."""

_HEAD = """# KPIs

What a customer-success team asks for, the measures that answer it, and what they say. Written by `bellbuoy
model measures --sample`; a test holds it to the code. All of them are part of the default model: *weight*
is the share of the score in points, *informs* says that the measure is shown beside the score, *cap* that
it holds the score down. Each example is what the fold published of an account of a simulated company;
*Sample account* and *Other sample*, made by hand, have what that company doesn't send.
[measures.md](measures.md) says what each measure needs to be known.
"""
_START = 20_500 * DAY
_DAYS = 100
_ACCOUNTS = 40
_SEED = 7


@dataclass(frozen=True, slots=True)
class Line:
    """A KPI's measure, what it is in the default model, and what an account's record says of it."""

    kpi: str
    measure: str
    role: str
    account: str
    value: str
    reason: str


class _Published(NamedTuple):
    health: r.AccountHealth
    kpis: r.AccountKpis


def lines() -> Iterator[Line]:
    """Yield a line for each measure of each KPI."""
    records = _records()
    roles = _roles()
    found = {name: _example(name, records) for names in KPIS.values() for name in names}
    for kpi, names in KPIS.items():
        for name in names:
            yield Line(kpi, name, roles[name], *found[name])


def page() -> str:
    """Return docs/kpis.md, without its last line break."""
    head = ["KPI", "measure", "in the score", "unit", "window", "sources", "for example", "value", "in words"]
    parts = [_HEAD, _row(head), _row(["---"] * len(head))]
    before = ""
    for line in lines():
        one = MEASURES[line.measure]
        parts.append(
            _row(
                [
                    "" if line.kpi == before else line.kpi,
                    f"`{line.measure}`",
                    line.role,
                    one.unit,
                    one.window,
                    ", ".join(f"`{source}`" for source in one.sources),
                    line.account,
                    line.value,
                    line.reason,
                ]
            )
        )
        before = line.kpi
    return "\n".join(parts)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _roles() -> dict[str, str]:
    plan = DEFAULT.plan
    roles = {plan.reads[cap.at].name: f"cap {cap.name}" for cap in plan.caps}
    roles |= {term.name: "informs" for term in plan.informs if term.name not in roles}
    for term in plan.informs:
        if roles[term.name] != "informs":
            roles[term.name] = f"informs, {roles[term.name]}"
    return roles | {
        term.name: f"weight {term.weight:g}" + (f", {roles[term.name]}" if term.name in roles else "")
        for term in plan.terms
    }


def _example(name: str, records: Mapping[str, _Published]) -> tuple[str, str, str]:
    """Return an account, the measure's value and its reason: something told, rather than nothing to tell."""
    quiet = None
    for account, record in records.items():
        for measure in record.kpis.measures:
            if measure.name == name and measure.value is not None:
                told = account, number(measure.value), measure.reason
                if measure.value:
                    return told
                quiet = quiet or told
    if quiet is not None:
        return quiet
    caps = {cap.name for cap in DEFAULT.plan.caps if DEFAULT.plan.reads[cap.at].name == name}
    for account, record in records.items():
        for cap in record.health.caps:
            if cap.name in caps:
                return account, f"at most {cap.limit:g}", cap.reason
    raise LookupError(f"no account shows {name}")


def _records() -> dict[str, _Published]:
    """Return what is published of each account by its name, those that pay most first."""
    company = Company(_SEED, _ACCOUNTS, _START)
    now = _START + _DAYS * DAY - DAY // 2
    happened: list[Any] = [
        delivery.event
        for delivery in Feed(company.deliveries()).until(now)
        if delivery.plant in ("clean", "late")
    ]
    happened += _sample(now)
    told = [msgspec.structs.replace(e, tenant="demo", received_at=e.occurred_at) for e in happened]
    others = batch_lists(event for event in told if not isinstance(event, r.UsageEvent))
    usage = roll_up([msgspec.structs.asdict(event) for event in told if isinstance(event, r.UsageEvent)])
    batch = r.JournalBatch(sequence=0, written_at=now, usage=usage, **others)
    a_minute_later = r.JournalBatch(sequence=1, written_at=now + MINUTE)
    [outcome] = FoldedPartition(0, Shared()).apply([(0, batch), (1, a_minute_later)])
    kpis = dict(outcome.kpis)
    records = sorted(outcome.health, key=lambda item: _rank(item[1]))
    return {record.name or record.account_id: _Published(record, kpis[key]) for key, record in records}


def _rank(record: r.AccountHealth) -> tuple[bool, int]:
    """Order customers before those who were, and by what they pay."""
    return record.stage == "churned", -(record.arr_minor or 0)


def _sample(now: int) -> Iterator[Any]:
    """Yield what the simulated company doesn't send: goals, milestones, people, replies, surveys, money."""
    numbers = iter(range(1_000))

    def made(type_: type, ago: float, account_id: str = "sample", **fields: Any) -> Any:
        at = now - round(ago * DAY)
        return type_(
            event_id=f"sample-{next(numbers)}", tenant="", account_id=account_id, source="sample",
            occurred_at=at, received_at=at, **fields,
        )  # fmt: skip

    yield made(r.AccountProfile, 90, "other", name=OTHER, segment="enterprise", seats=4)
    for kind, ago in (("sponsor_named", 80.0), ("sponsor_left", 20.0)):
        yield made(r.EngagementEvent, ago, "other", kind=kind, user_id="sponsor")
    for day in range(60):
        yield made(r.UsageEvent, day + 0.2, "other", user_id="colleague", name="Did", feature="reports")

    yield made(
        r.AccountProfile, 90, name=SAMPLE, segment="mid-market", stage="onboarding", owner="Ann",
        country="DE", currency="EUR", seats=20, features=12, key_feature="reports",
    )  # fmt: skip
    yield made(r.AccountProfile, 3, uptime_ppm=998_700)
    for day in range(0, 60, 2):
        for user in ("champion", "colleague"):
            yield made(
                r.UsageEvent, day + 0.1, user_id=user, name="Reports Used", feature="reports",
                duration_ms=600_000, latency_ms=240,
            )  # fmt: skip
    yield from _sample_money(made, now)
    yield from _sample_people(made, now)
    for ticket, severity, kinds in (
        ("1", "high", ((20, "opened"), (19.9, "answered"), (19, "solved"), (18, "rated"))),
        ("2", "high", ((9, "opened"), (8.8, "answered"), (8, "escalated"))),
        ("3", "urgent", ((3, "opened"),)),
    ):
        for ago, kind in kinds:
            yield made(r.SupportEvent, ago, ticket_id=ticket, kind=kind, severity=severity, csat=4)


def _sample_money(made: Any, now: int) -> Iterator[Any]:
    plan = {"subscription_id": "s", "currency": "EUR", "renews_at": now + 45 * DAY}
    invoice = {"invoice_id": "i", "currency": "EUR"}
    yield made(r.BillingEvent, 410, kind="subscription_started", mrr_minor=100_000, seats=20, **plan)
    yield made(
        r.BillingEvent,
        200,
        kind="subscription_updated",
        mrr_minor=150_000,
        previous_mrr_minor=100_000,
        **plan,
    )
    yield made(
        r.BillingEvent, 30, kind="subscription_updated", mrr_minor=90_000, previous_mrr_minor=150_000, **plan
    )
    yield made(
        r.BillingEvent, 40, kind="invoice_issued", amount_minor=90_000, due_at=now - 10 * DAY, **invoice
    )
    yield made(r.BillingEvent, 9, kind="payment_failed", **invoice)
    yield made(r.BillingEvent, 5, kind="dispute_opened", **invoice)
    yield made(r.BillingEvent, 1, kind="cancel_scheduled", cancel_at=now + 30 * DAY, **plan)


def _sample_people(made: Any, now: int) -> Iterator[Any]:
    for ago, kind, fields in (
        (85, "champion_named", {"user_id": "champion"}),
        (85, "sponsor_named", {"user_id": "sponsor"}),
        (30, "meeting", {"user_id": "sponsor"}),
        (80, "goal_set", {"name": "Close the books in three days", "due_at": now - 20 * DAY}),
        (80, "goal_set", {"name": "One report for all", "due_at": now - 2 * DAY}),
        (25, "goal_achieved", {
            "name": "Close the books in three days", "worth_minor": 4_000_000, "currency": "EUR",
        }),
        (88, "milestone_set", {"name": "First report", "due_at": now - 70 * DAY}),
        (88, "milestone_set", {"name": "Single sign-on", "due_at": now - 16 * DAY}),
        (72, "milestone_reached", {"name": "First report"}),
        (60, "training_attended", {"user_id": "champion"}),
        (14, "email_sent", {"user_id": "champion"}),
        (13.5, "email_received", {"user_id": "champion"}),
        (6, "email_sent", {"user_id": "champion"}),
        (40, "praise_received", {"name": "reports"}),
        (12, "complaint_received", {"name": "single sign-on"}),
        (11, "complaint_received", {"name": "prices"}),
        (90, "advocacy_shown", {"name": "review"}),
    ):  # fmt: skip
        yield made(r.EngagementEvent, ago, kind=kind, **fields)
    for before, survey, person, score, step in (
        (50, "ces", "champion", 3, "answered"),
        (30, "nps", "champion", None, "sent"),
        (30, "nps", "colleague", None, "sent"),
        (29, "nps", "colleague", 4, "answered"),
    ):
        yield made(
            r.SurveyResponse, before, survey_id=survey, user_id=person, kind=survey, score=score, step=step
        )
