"""The messages of the JSON API, requests and responses, from which its document is made."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bellbuoy.query.portfolio import Group
from processors.portfolio import PeerRank, RollUp
from schemas.records import AccountHealth, Measure, RiskAlert, Task
from sinks.serving import AccountSummary, HistoryEntry

__all__ = [
    "AccountResponse",
    "ActRequest",
    "ActResponse",
    "AlertQuery",
    "AlertsResponse",
    "BookEntry",
    "BookQuery",
    "BookResponse",
    "ErrorResponse",
    "NoteRequest",
    "TaskActRequest",
    "TaskEntry",
    "TaskQuery",
    "TaskRequest",
    "TaskResponse",
    "TasksResponse",
    "encoded",
]

Text = Annotated[str, Meta(max_length=200)]
Count = Annotated[int, Meta(ge=1, le=1_000)]
Offset = Annotated[int, Meta(ge=0, le=1_000_000)]
Time = Annotated[int, Meta(description="UTC milliseconds.", ge=0, le=253_402_300_799_999)]
Note = Annotated[str, Meta(max_length=4_000)]
ActId = Annotated[str, Meta(pattern="^[A-Za-z0-9]{1,64}$")]


class BookQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Query of a book: filters, order, and which part of it."""

    q: Text = ""
    owner: Text = ""
    segment: Text = ""
    band: Literal["", "critical", "at_risk", "watch", "healthy", "unknown"] = ""
    lane: Text = ""
    renewal: Annotated[int, Meta(ge=0, le=366, description="Renews within so many days; 0: any.")] = 0
    payment_risk: Annotated[
        Literal["", "0", "1"], Meta(description="`1`: accounts with a payment risk alone.")
    ] = ""
    churned: Annotated[Literal["", "0", "1"], Meta(description="`1`: churned accounts as well.")] = ""
    sort: Literal["urgency", "score", "change", "payment_risk", "arr", "renewal", "name"] = "urgency"
    n: Count = 50
    offset: Offset = 0


class AlertQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Query of the open alerts: filters, and which part of them."""

    view: Annotated[
        Literal["all", "new", "taken", "snoozed"],
        Meta(description="`new`: nobody has it; `taken`: somebody does."),
    ] = "all"
    owner: Text = ""
    lane: Text = ""
    severity: Literal["", "critical", "warning", "notice"] = ""
    q: Text = ""
    n: Count = 50
    offset: Offset = 0


class BookEntry(Struct, kw_only=True):
    """Entry of a book: an account, by how much its score moved in seven days, and its open alerts."""

    account: AccountSummary
    change: float | None
    urgency: float
    alert_ids: list[str]


class BookResponse(Struct, kw_only=True):
    """Response with a part of a book; ``found`` counts the accounts that the query leaves, of ``total``."""

    accounts: list[BookEntry]
    found: int
    total: int
    journal_time: int


class AccountMeasure(Measure, frozen=True, kw_only=True):
    """Measure of an account's response, with its window in words, and the age of its evidence."""

    window: str | None
    age_ms: int | None


class AccountResponse(AccountHealth, frozen=True, kw_only=True):
    """
    Response with one account, as ``explain --json`` tells it.

    It has the fields of its health, with those measures too that only inform, as of ``kpis_as_of``; its open
    alerts, its latest scores, its rank in its segment, and the roll-ups of its parent and of all below it.
    """

    measures: list[AccountMeasure]  # type: ignore[assignment]
    alerts: list[RiskAlert]
    history: list[HistoryEntry]
    standing: PeerRank | None
    parent: Group | None
    group: RollUp | None
    kpis_as_of: int | None


class AlertsResponse(Struct, kw_only=True):
    """Response with a part of the open alerts; ``found`` counts those that the query leaves."""

    alerts: list[RiskAlert]
    found: int


class ActRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Request to act on an alert; with the same ``act_id`` a repeated one counts once."""

    kind: Literal["acknowledged", "snoozed", "assigned", "dismissed", "resolved", "reviewed"]
    note: Note | None = None
    until: Annotated[Time | None, Meta(description="End of a snooze, UTC milliseconds.")] = None
    assignee: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    feedback: Literal["useful", "noise", "known"] | None = None
    act_id: ActId | None = None


class NoteRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Request to write a note on an account; with the same ``act_id`` a repeated one counts once."""

    text: Annotated[str, Meta(min_length=1, max_length=4_000)]
    act_id: ActId | None = None


class TaskRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Request to add a task to an account or, with the ``task_id`` of a known one, to say it anew."""

    title: Annotated[str, Meta(min_length=1, max_length=300)]
    due_at: Annotated[Time | None, Meta(description="By when, UTC milliseconds.")] = None
    assignee: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    task_id: ActId | None = None
    act_id: ActId | None = None


class TaskActRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Request to say that a task is done, or that it is open again."""

    kind: Literal["done", "reopened"]
    act_id: ActId | None = None


class TaskQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Query of the open tasks: whose, and which part of them."""

    assignee: Annotated[
        Text, Meta(description="Whose: a task assigned to nobody falls to the account's owner.")
    ] = ""
    n: Count = 50
    offset: Offset = 0


class TaskEntry(Struct, kw_only=True):
    """Entry of the open tasks: a task, and the account that it belongs to."""

    account_id: str
    name: str | None
    owner: str | None
    task: Task


class TasksResponse(Struct, kw_only=True):
    """Response with a part of the open tasks, those due first; ``found`` counts those that are left."""

    tasks: list[TaskEntry]
    found: int


class ActResponse(Struct, kw_only=True):
    """Response to an act that Kafka has confirmed; pages show it once the pipeline has applied it."""

    act_id: str
    occurred_at: int
    author: str


class TaskResponse(ActResponse, kw_only=True):
    """Response to a task that Kafka has confirmed, with its id."""

    task_id: str


class ErrorResponse(Struct, kw_only=True):
    """Response to a request that can't be answered, with why and what to do instead."""

    error: str


def encoded(message: Struct | dict[str, object]) -> bytes:
    """Return a message as JSON."""
    return msgspec.json.encode(message)
