"""
The parts of Zendesk's webhook events, tickets and organizations that are read. Pure.

Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
There ids are strings, and statuses and priorities are upper case; other spellings are read as well.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.sources.snapshots import EventId, Id

__all__ = ["Comment", "Organization", "SatisfactionScore", "Ticket", "TicketChange", "ZendeskEvent"]


class Ticket(msgspec.Struct):
    """The ticket, as it is after the event."""

    id: Id = None
    organization_id: Id = None
    priority: str | None = None
    status: str | None = None
    subject: str | None = None
    tags: list[str] | str | None = None
    created_at: str | None = None


class Organization(msgspec.Struct):
    """An organization, with the id that it has in the tenant's own systems."""

    id: Id = None
    external_id: Id = None


class Author(msgspec.Struct):
    """The author of a comment."""

    is_staff: bool | None = None


class Comment(msgspec.Struct):
    """A comment; its text is not read."""

    author: Author | None = None
    is_public: bool | None = None


class SatisfactionScore(msgspec.Struct):
    """A rating: GOOD or BAD, or a number from 1 to 5."""

    score: str | int | None = None


class Sequence(msgspec.Struct):
    """The place of an event among those of one action."""

    position: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None


class Meta(msgspec.Struct):
    """Facts about an event itself."""

    sequence: Sequence | None = None


class TicketChange(msgspec.Struct):
    """The event of a ticket; which fields are present depends on the event's type."""

    current: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    previous: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    comment: Comment | None = None
    satisfaction_score: SatisfactionScore | None = None
    meta: Meta | None = None


class ZendeskEvent(msgspec.Struct):
    """An event, as a webhook that is subscribed to events sends it."""

    id: EventId
    type: str
    detail: msgspec.Raw = msgspec.Raw(b"{}")
    event: msgspec.Raw = msgspec.Raw(b"{}")
    time: str | None = None
