"""
Zendesk's JSON of simulated events: ticket steps as webhooks that are subscribed to ticket events. Pure.

Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

from __future__ import annotations

from typing import Any

from schemas.records import SupportEvent
from schemas.times import iso

__all__ = ["zendesk_event"]

_TYPE = "zen:event-type:ticket."
_SEVERITIES = ("low", "normal", "high", "urgent")
_STATUS = {"opened": "NEW", "solved": "SOLVED", "rated": "SOLVED"}


def zendesk_event(event: SupportEvent) -> dict[str, Any]:
    """Return a support event as Zendesk sends it; raise KeyError for a kind the simulator never makes."""
    name, change = _change(event)
    return {
        "id": event.event_id,
        "type": _TYPE + name,
        "time": iso(event.occurred_at),
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{event.ticket_id}",
        "detail": {
            "id": event.ticket_id,
            "organization_id": event.account_id,
            "priority": event.severity.upper(),
            "subject": event.subject,
            "status": _STATUS.get(event.kind, "OPEN"),
        },
        "event": change,
    }


def _change(event: SupportEvent) -> tuple[str, dict[str, Any]]:
    status = {"reopened": ("OPEN", "SOLVED"), "solved": ("SOLVED", "OPEN")}
    if event.kind in status:
        current, previous = status[event.kind]
        return "status_changed", {"current": current, "previous": previous}
    if event.kind == "escalated":
        before = _SEVERITIES[max(0, _SEVERITIES.index(event.severity) - 1)]
        return "priority_changed", {"current": event.severity.upper(), "previous": before.upper()}
    if event.kind in ("answered", "replied"):
        author = {"is_staff": event.kind == "answered"}
        return "comment_added", {"comment": {"author": author, "is_public": True}}
    if event.kind == "rated":
        return "csat_received", {"satisfaction_score": {"score": event.csat}}
    return {"opened": ("created", {})}[event.kind]
