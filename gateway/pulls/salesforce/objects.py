"""
Mapping of Salesforce's records to ours. Pure.

Source: the object reference,
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from gateway.pulls.profile_fields import profile_fields, text
from gateway.pulls.pull import HISTORY_MS, KIND, counted_at
from gateway.sources.snapshots import ticket, version
from schemas.identity.aliases import alias_of_user
from schemas.records import (
    AccountLink,
    AccountProfile,
    BillingEvent,
    EngagementEvent,
    InputEvent,
    SupportEvent,
)

__all__ = ["STREAMS", "TOPICS", "SalesforceStream", "to_record"]


@dataclass(frozen=True, slots=True)
class SalesforceStream:
    """
    An object as it is queried.

    ``fields`` are those that every edition has. ``kinds`` are what a record is mapped as, more than once
    where more than one of ours may follow. With ``whole`` a first round reads all, else the last 89 days.
    """

    name: str
    fields: tuple[str, ...]
    kinds: tuple[str, ...]
    whole: bool = False


STREAMS: Mapping[str, SalesforceStream] = {
    "accounts": SalesforceStream(
        "Account", ("Name", "Website", "Type", "ParentId", "Owner.Name"), ("account",), whole=True
    ),
    "contacts": SalesforceStream("Contact", ("Email", "AccountId"), ("contact",), whole=True),
    "contracts": SalesforceStream(
        "Contract", ("AccountId", "Status", "StatusCode", "EndDate"), ("contract",), whole=True
    ),
    "cases": SalesforceStream(
        "Case",
        ("AccountId", "Status", "IsClosed", "Priority", "CreatedDate", "ClosedDate", "Subject"),
        ("case_opened", "case"),
    ),
    "tasks": SalesforceStream(
        "Task", ("AccountId", "TaskSubtype", "Status", "IsClosed", "CompletedDateTime"), ("task",)
    ),
}

TOPICS = {
    "account": "account.profiles",
    "contact": "account.links",
    "contract": "billing.events",
    "case": "support.events",
    "case_opened": "support.events",
    "task": "engagement.events",
}


class SalesforceOwner(msgspec.Struct, rename="pascal"):
    """The user who owns an account."""

    name: str | None = None


class SalesforceRecord(msgspec.Struct, rename="pascal"):
    """
    A record of any of the objects, as a query answers it.

    Added by the connection: ``account`` is the account's id as it is known here, ``fields`` those that the
    tenant named.
    """

    id: str
    system_modstamp: str
    account: str | None = msgspec.field(name="account", default=None)
    fields: dict[str, Any] = msgspec.field(name="fields", default_factory=dict)
    name: str | None = None
    website: str | None = None
    type: str | None = None
    owner: SalesforceOwner | None = None
    email: str | None = None
    status: str | None = None
    status_code: str | None = None
    end_date: str | None = None
    is_closed: bool = False
    priority: str | None = None
    created_date: str | None = None
    closed_date: str | None = None
    subject: str | None = None
    task_subtype: str | None = None
    completed_date_time: str | None = None


_RECORDS: Decoder[SalesforceRecord] = Decoder(SalesforceRecord)

_PRIORITIES = {"low": "low", "medium": "normal", "high": "high", "critical": "urgent", "urgent": "urgent"}
_CONTRACTS = {"Activated": "active", "Expired": "canceled", "Terminated": "canceled"}
"""What has been of force: the codes of a draft or an approval say nothing yet."""

_TASKS = {"Email": "email_sent", "ListEmail": "email_sent", "Call": "touch", "Task": "touch"}


def to_record(raw: bytes, sender: Sender, said: Mapping[str, bytes]) -> InputEvent | None:
    """Return our record of Salesforce's, or ``None`` where it says nothing about health; raise Fault."""
    kind, record = said.get(KIND, b"").decode(), _RECORDS.read(raw)
    if record.account is None:
        return None  # of no account, or of one without the tenant's own id
    account = account_or_alias(record.account, "/account")
    changed_at = _time(record.system_modstamp, "/SystemModstamp")
    if kind == "account":
        return _profile(record, sender, account, changed_at)
    if kind == "contact":
        return _link(record, sender, account, changed_at)
    if kind == "contract":
        return _contract(record, sender, account, changed_at)
    if kind in ("case", "case_opened"):
        return _case(record, sender, account, changed_at, opened=kind == "case_opened")
    return _task(record, sender, account, changed_at)


def _time(value: str, pointer: str) -> int:
    return milliseconds(value, pointer)


def _profile(record: SalesforceRecord, sender: Sender, account: str, changed_at: int) -> AccountProfile:
    values: dict[str, Any] = {
        "name": text(record.name),
        "domain": _domain(record.website),
        "segment": text(record.type),
        "owner": text(record.owner.name) if record.owner else None,
    } | profile_fields(record.fields, "/fields")
    return AccountProfile(
        event_id=f"{record.id}-{changed_at}",
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=counted_at(changed_at, sender.received_at),
        received_at=sender.received_at,
        **values,
    )


def _domain(website: str | None) -> str | None:
    host = (website or "").strip().lower().partition("://")[2] or (website or "").strip().lower()
    return text(host.split("/", 1)[0].split(":", 1)[0].removeprefix("www."))


def _link(record: SalesforceRecord, sender: Sender, account: str, changed_at: int) -> AccountLink | None:
    alias = alias_of_user((record.email or "").strip().lower())
    if alias is None:
        return None
    return AccountLink(
        event_id=f"{record.id}-{account}",
        tenant=sender.tenant,
        account_id=alias,
        source=sender.source,
        occurred_at=counted_at(changed_at, sender.received_at),
        received_at=sender.received_at,
        into=account,
    )


def _contract(record: SalesforceRecord, sender: Sender, account: str, changed_at: int) -> BillingEvent | None:
    status = _CONTRACTS.get(record.status_code or "") or _CONTRACTS.get(record.status or "")
    if status is None:
        return None
    ends_at = _time(record.end_date, "/EndDate") if record.end_date else None
    over = status == "canceled"
    return BillingEvent(
        event_id=f"{record.id}-{changed_at}",
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=counted_at(changed_at, sender.received_at),
        received_at=sender.received_at,
        kind="subscription_canceled" if over else "subscription_updated",
        subscription_id=record.id,
        status=status,
        renews_at=None if over else ends_at,
        snapshot=True,
        version=version(status, ends_at),
    )


def _case(
    record: SalesforceRecord, sender: Sender, account: str, changed_at: int, *, opened: bool
) -> SupportEvent | None:
    if record.created_date is None:
        raise Fault("CreatedDate is missing", "/CreatedDate")
    created_at = _time(record.created_date, "/CreatedDate")
    oldest = sender.received_at - HISTORY_MS
    if opened:
        if created_at < oldest:
            return None
        return ticket(
            sender,
            event_id=f"{record.id}-opened",
            account=account,
            ticket_id=record.id,
            kind="opened",
            occurred_at=created_at,
            opened_at=created_at,
        )
    at = changed_at
    if record.is_closed and record.closed_date:
        at = _time(record.closed_date, "/ClosedDate")
    if at < oldest:
        return None
    return ticket(
        sender,
        event_id=f"{record.id}-{at}",
        account=account,
        ticket_id=record.id,
        kind="solved" if record.is_closed else "escalated" if record.status == "Escalated" else "updated",
        occurred_at=at,
        status="closed" if record.is_closed else "open",
        severity=_PRIORITIES.get((record.priority or "").lower(), "unknown"),
        opened_at=created_at,
        subject=record.subject,
    )


def _task(record: SalesforceRecord, sender: Sender, account: str, changed_at: int) -> EngagementEvent | None:
    kind = _TASKS.get(record.task_subtype or "Task")
    at = changed_at
    if record.completed_date_time:
        at = _time(record.completed_date_time, "/CompletedDateTime")
    if kind is None or not record.is_closed or at < sender.received_at - HISTORY_MS:
        return None  # still to be done
    return EngagementEvent(
        event_id=record.id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=at,
        received_at=sender.received_at,
        kind=kind,
    )
