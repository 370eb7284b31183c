"""
Mapping of HubSpot's objects to records. Pure.

Source: https://developers.hubspot.com/docs/api-reference/crm-search/guide and the guides of each object; the
stages of tickets are those of https://developers.hubspot.com/docs/api-reference/crm-pipelines-v3/guide
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
from gateway.sources.snapshots import ticket
from schemas.identity.aliases import alias_of_user
from schemas.records import AccountLink, AccountProfile, EngagementEvent, InputEvent, SupportEvent

__all__ = ["STREAMS", "TOPICS", "HubSpotStream", "to_record"]


@dataclass(frozen=True, slots=True)
class HubSpotStream:
    """
    A kind of object as it is searched.

    ``modified`` is the property of its last change. ``kinds`` are what an object is mapped as, more than once
    where more than one record may follow from it. With ``whole`` a first round reads all of them, else those
    of the last 89 days. With ``associated`` the company is asked for, as a search doesn't tell it.
    """

    properties: tuple[str, ...]
    kinds: tuple[str, ...]
    modified: str = "hs_lastmodifieddate"
    whole: bool = False
    associated: bool = False


STREAMS: Mapping[str, HubSpotStream] = {
    "companies": HubSpotStream(
        ("name", "domain", "lifecyclestage", "hubspot_owner_id"), ("company",), whole=True
    ),
    "contacts": HubSpotStream(
        ("email", "associatedcompanyid", "hs_buying_role"),
        ("contact", "contact_role"),
        modified="lastmodifieddate",
        whole=True,
    ),
    "tickets": HubSpotStream(
        ("createdate", "closed_date", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "subject"),
        ("ticket_opened", "ticket"),
        associated=True,
    ),
    "emails": HubSpotStream(
        ("hs_timestamp", "hs_email_direction", "hs_email_from_email"), ("email",), associated=True
    ),
    "meetings": HubSpotStream(("hs_timestamp", "hs_meeting_outcome"), ("meeting",), associated=True),
    "calls": HubSpotStream(("hs_timestamp", "hs_call_status"), ("call",), associated=True),
}
"""What is read, by the name of the object in the API's paths."""

TOPICS = {
    "company": "account.profiles",
    "contact": "account.links",
    "contact_role": "engagement.events",
    "ticket": "support.events",
    "ticket_opened": "support.events",
    "email": "engagement.events",
    "meeting": "engagement.events",
    "call": "engagement.events",
}


class HubSpotObject(msgspec.Struct):
    """
    An object as a search answers it.

    Added by the connection: ``owner`` is the owner's name, ``company`` the id of the company that an object
    belongs to, ``closed`` whether a ticket's stage is one of closed tickets, ``fields`` those that the tenant
    named.
    """

    id: str
    properties: dict[str, str | None]
    owner: str | None = None
    company: str | None = None
    closed: bool | None = None
    fields: dict[str, str | None] = {}


_OBJECTS: Decoder[HubSpotObject] = Decoder(HubSpotObject)

_PRIORITIES = {"LOW": "low", "MEDIUM": "normal", "HIGH": "high", "URGENT": "urgent"}
_ROLES = {"CHAMPION": "champion_named", "EXECUTIVE_SPONSOR": "sponsor_named"}
_NOT_HELD = ("CANCELED", "CANCELLED", "NO_SHOW", "RESCHEDULED")


def to_record(raw: bytes, sender: Sender, said: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of an object, or ``None`` for one that says nothing about health; raise Fault."""
    kind = said.get(KIND, b"").decode()
    thing = _OBJECTS.read(raw)
    if kind == "company":
        return _profile(thing, sender)
    if kind in ("contact", "contact_role"):
        return _contact(thing, sender) if kind == "contact" else _role(thing, sender)
    if thing.company is None:
        return None  # of no company: of an inbox, or of a sale to come
    if kind in ("ticket", "ticket_opened"):
        return _ticket(thing, sender, opened=kind == "ticket_opened")
    return _engagement(thing, sender, kind)


def _time(thing: HubSpotObject, name: str) -> int | None:
    value = thing.properties.get(name)
    if not value:
        return None
    return milliseconds(int(value) if value.isdecimal() else value, f"/properties/{name}")


def _changed_at(thing: HubSpotObject, name: str = "hs_lastmodifieddate") -> int:
    at = _time(thing, name)
    if at is None:
        raise Fault(f"{name} is missing", f"/properties/{name}")
    return at


def _profile(thing: HubSpotObject, sender: Sender) -> AccountProfile:
    at = _changed_at(thing)
    said = thing.properties
    values: dict[str, Any] = {
        "name": text(said.get("name")),
        "domain": text(said.get("domain")),
        "stage": text(said.get("lifecyclestage")),
        "owner": text(thing.owner),
    } | profile_fields(thing.fields, "/fields")
    return AccountProfile(
        event_id=f"company-{thing.id}-{at}",
        tenant=sender.tenant,
        account_id=account_or_alias(thing.id, "/id"),
        source=sender.source,
        occurred_at=counted_at(at, sender.received_at),
        received_at=sender.received_at,
        **values,
    )


def _contact(thing: HubSpotObject, sender: Sender) -> AccountLink | None:
    """Return the link from a contact's address, as a user of the product, to the company."""
    email, company = _address(thing.properties.get("email")), thing.properties.get("associatedcompanyid")
    alias = alias_of_user(email) if email else None
    if alias is None or not company:
        return None
    return AccountLink(
        event_id=f"contact-{thing.id}-{company}",
        tenant=sender.tenant,
        account_id=alias,
        source=sender.source,
        occurred_at=counted_at(_changed_at(thing, "lastmodifieddate"), sender.received_at),
        received_at=sender.received_at,
        into=account_or_alias(company, "/properties/associatedcompanyid"),
    )


def _role(thing: HubSpotObject, sender: Sender) -> EngagementEvent | None:
    """Return who is the champion, or else the sponsor, by the buying roles of a contact."""
    company, email = thing.properties.get("associatedcompanyid"), _address(thing.properties.get("email"))
    roles = {role.strip().upper() for role in (thing.properties.get("hs_buying_role") or "").split(";")}
    role = next((role for role in _ROLES if role in roles), None)
    if role is None or not company or not email:
        return None
    return EngagementEvent(
        event_id=f"role-{thing.id}-{company}-{role}",
        tenant=sender.tenant,
        account_id=account_or_alias(company, "/properties/associatedcompanyid"),
        source=sender.source,
        occurred_at=counted_at(_changed_at(thing, "lastmodifieddate"), sender.received_at),
        received_at=sender.received_at,
        user_id=email,
        kind=_ROLES[role],
    )


def _ticket(thing: HubSpotObject, sender: Sender, *, opened: bool) -> SupportEvent | None:
    created, at = _time(thing, "createdate"), _changed_at(thing)
    account = account_or_alias(str(thing.company), "/company")
    if opened:
        if created is None or created < sender.received_at - HISTORY_MS:
            return None
        return ticket(
            sender,
            event_id=f"ticket-{thing.id}-opened",
            account=account,
            ticket_id=thing.id,
            kind="opened",
            occurred_at=created,
            opened_at=created,
        )
    closed_at = _time(thing, "closed_date")
    closed = closed_at is not None if thing.closed is None else thing.closed
    if closed and closed_at is not None:
        at = closed_at
    if at < sender.received_at - HISTORY_MS:
        return None
    return ticket(
        sender,
        event_id=f"ticket-{thing.id}-{at}",
        account=account,
        ticket_id=thing.id,
        kind="solved" if closed else "updated",
        occurred_at=at,
        status="closed" if closed else "open",
        severity=_PRIORITIES.get(thing.properties.get("hs_ticket_priority") or "", "unknown"),
        opened_at=created,
        subject=thing.properties.get("subject"),
    )


def _engagement(thing: HubSpotObject, sender: Sender, kind: str) -> EngagementEvent | None:
    at = _time(thing, "hs_timestamp")
    if at is None or not sender.received_at - HISTORY_MS <= at <= sender.received_at:
        return None  # a meeting to come is told once its outcome is set
    said, user = thing.properties, None
    if kind == "email":
        received = said.get("hs_email_direction") == "INCOMING_EMAIL"
        user = _address(said.get("hs_email_from_email")) if received else None
        becomes = "email_received" if received else "email_sent"
    elif kind == "meeting":
        if (said.get("hs_meeting_outcome") or "").upper() in _NOT_HELD:
            return None
        becomes = "meeting"
    else:
        if (said.get("hs_call_status") or "COMPLETED").upper() != "COMPLETED":
            return None
        becomes = "touch"
    return EngagementEvent(
        event_id=f"{kind}-{thing.id}",
        tenant=sender.tenant,
        account_id=account_or_alias(str(thing.company), "/company"),
        source=sender.source,
        occurred_at=at,
        received_at=sender.received_at,
        user_id=user,
        kind=becomes,
    )


def _address(value: str | None) -> str | None:
    return (value or "").strip().lower() or None
