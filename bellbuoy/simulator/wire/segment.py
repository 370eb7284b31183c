"""
Segment's JSON of simulated events: usage as ``track`` calls, profiles as ``group`` calls. Pure.

Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from typing import Any

from bellbuoy.simulator.world.delivery import Delivery
from schemas.records import AccountProfile, UsageEvent
from schemas.times import iso

__all__ = ["BAD_REASONS", "call"]

BAD_REASONS = {"no_account": "unresolved_account", "wrong_type": "invalid", "bad_time": "invalid"}
"""The dead-letter reason that each kind of broken call must get."""

_TRAITS = ("name", "segment", "stage", "owner", "arr_minor", "currency", "seats", "domain")


def call(delivery: Delivery) -> dict[str, Any]:
    """Return a usage event or a profile as a Segment call, broken in the way that its delivery names."""
    event = delivery.event
    if isinstance(event, AccountProfile):
        return _group(event)
    if isinstance(event, UsageEvent):
        return _broken(_track(event), delivery.bad)
    raise TypeError(f"{type(event).__name__} has no Segment call")


def _track(event: UsageEvent) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": event.event_id,
        "userId": event.user_id,
        "event": event.name,
        "timestamp": iso(event.occurred_at),
        "context": {"groupId": event.account_id},
        "properties": {
            "feature": event.feature,
            "duration_ms": event.duration_ms,
            "latency_ms": event.latency_ms,
            "error": event.error,
        },
    }


def _group(event: AccountProfile) -> dict[str, Any]:
    traits = {name: value for name in _TRAITS if (value := getattr(event, name)) is not None}
    return {
        "type": "group",
        "messageId": event.event_id,
        "userId": f"admin@{event.account_id}.example",
        "groupId": event.account_id,
        "timestamp": iso(event.occurred_at),
        "traits": traits,
    }


def _broken(track: dict[str, Any], bad: str | None) -> dict[str, Any]:
    if bad == "no_account":  # and no user either, whose account might become known later
        track["context"], track["anonymousId"] = {}, track.pop("userId")
    elif bad == "wrong_type":
        track["event"] = 42
    elif bad == "bad_time":
        track["timestamp"] = "yesterday at noon"
    return track
