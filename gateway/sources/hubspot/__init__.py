"""
HubSpot: webhooks of an app about companies, which become account profiles and links. Pure.

A request carries several events, each of one changed property; the id of an event is not unique by itself.

HubSpot's library for Python computes the same signature, but checks the time by its own clock, and takes any
time in the future.

Source: https://developers.hubspot.com/docs/apps/legacy-apps/public-apps/create-generic-webhook-subscriptions
and https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from gateway.field_policy import FieldRules, Where
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from gateway.sources.signatures import HmacScheme
from gateway.sources.source import WebhookSource
from schemas.records import AccountLink, AccountProfile

__all__ = ["SOURCE"]

_COMPANY = "0-2"
"""HubSpot's number of the type company, in events of the form ``object.*``."""

_MAX_TEXT = 256
_PROPERTIES = {
    "name": "name",
    "domain": "domain",
    "lifecyclestage": "stage",
    "hubspot_owner_id": "owner",
}
"""The properties of a company that are read, and the fields of a profile that they become."""

ObjectId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class HubSpotEvent(msgspec.Struct, rename="camel"):
    """An event about an object of the CRM."""

    event_id: int
    subscription_type: str
    occurred_at: int
    object_id: ObjectId | None = None
    object_type_id: str | None = None
    subscription_id: int | None = None
    property_name: str | None = None
    property_value: str | int | float | bool | None = None
    primary_object_id: ObjectId | None = None
    merged_object_ids: list[ObjectId] | None = None
    new_object_id: ObjectId | None = None


_LISTS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])
_EVENTS: Decoder[HubSpotEvent] = Decoder(HubSpotEvent, lax=True)
_OBJECTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])


def split(body: bytes) -> list[bytes]:
    """Return the events of a body, a merge of several companies as one event for each; raise Fault."""
    return [part for raw in _LISTS.read(body) for part in _parts(bytes(raw))]


def to_record(
    raw: bytes, sender: Sender, _headers: Mapping[str, bytes]
) -> AccountProfile | AccountLink | None:
    """Return the record of an event, or ``None`` for one that says nothing about an account; raise Fault."""
    event = _EVENTS.read(raw)
    name = event.subscription_type.removeprefix("company.")
    if name == event.subscription_type:
        name = event.subscription_type.removeprefix("object.")
        if name == event.subscription_type or event.object_type_id != _COMPANY:
            return None
    if name == "merge":
        return _merged(event, sender)
    field = _PROPERTIES.get(event.property_name or "") if name == "propertyChange" else None
    if field is None:
        return None
    if event.object_id is None:
        raise Fault("objectId is missing", "/objectId")
    value = "" if event.property_value is None else str(event.property_value).strip()
    if not value:
        return None
    profile: dict[str, Any] = {field: value.replace("\0", "")[:_MAX_TEXT]}
    return AccountProfile(
        event_id=_id(event),
        tenant=sender.tenant,
        account_id=str(event.object_id),
        source=sender.source,
        occurred_at=milliseconds(event.occurred_at, "/occurredAt"),
        received_at=sender.received_at,
        **profile,
    )


def _parts(raw: bytes) -> list[bytes]:
    """Return an event, split by the companies that it merged, of which the result may be a new one."""
    try:
        event = _EVENTS.read(raw)
    except Fault:
        return [raw]
    merged = list(event.merged_object_ids or ())
    if merged and event.primary_object_id is not None and event.new_object_id is not None:
        merged.append(event.primary_object_id)
    merged = [each for each in dict.fromkeys(merged) if each != event.new_object_id]
    if len(merged) < 2:
        return [raw]
    said = _OBJECTS.read(raw)
    return [msgspec.json.encode(said | {"mergedObjectIds": [each]}) for each in merged]


def _merged(event: HubSpotEvent, sender: Sender) -> AccountLink | None:
    """Return the link from a company that was merged to the one that stays."""
    stays = event.new_object_id or event.primary_object_id or event.object_id
    if stays is None or not event.merged_object_ids:
        raise Fault("primaryObjectId or mergedObjectIds is missing", "/primaryObjectId")
    gone = event.merged_object_ids[0]
    if gone == stays:
        return None
    return AccountLink(
        event_id=f"{_id(event)}-{gone}",
        tenant=sender.tenant,
        account_id=account_or_alias(str(gone), "/mergedObjectIds/0"),
        source=sender.source,
        occurred_at=milliseconds(event.occurred_at, "/occurredAt"),
        received_at=sender.received_at,
        into=str(stays),
    )


def _id(event: HubSpotEvent) -> str:
    return f"{event.event_id}-{event.subscription_id or 0}-{event.object_id or 0}-{event.occurred_at}"


SOURCE = WebhookSource(
    name="hubspot",
    title="HubSpot",
    topic="account.profiles",
    signature_scheme=lambda: HmacScheme(
        header="x-hubspot-signature-v3",
        signed="{method}{url}{body}{time}",
        encoding="base64",
        time_header="x-hubspot-request-timestamp",
        time_form="milliseconds",
    ),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/eventId",
            "/subscriptionType",
            "/occurredAt",
            "/objectId",
            "/objectTypeId",
            "/subscriptionId",
            "/propertyName",
            "/primaryObjectId",
            "/mergedObjectIds",
            "/newObjectId",
        ),
        dropped=(
            "/propertyValue",
            "/sourceId",
        ),
        where=(Where("propertyName", frozenset(_PROPERTIES), ("/propertyValue",)),),
    ),
    demo_secret="hubspot-demo",  # noqa: S106 - published
)
