"""The name of an event's kind, as its own JSON says it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["name_in", "name_of"]

_NAME_CHARACTERS = 80
"""Characters of a name; the rest is cut off."""

_NAMED_BY = (
    "event", "topic", "type", "event_type", "event_name", "subscriptionType", "webhook_type", "kind", "name",
)  # fmt: skip
"""The fields by which senders say what happened; the first that is a text counts."""


def name_in(fields: dict[str, Any]) -> str:
    """Return the name of the kind of an event with these fields; '' where it has none."""
    for field in _NAMED_BY:
        if isinstance(value := fields.get(field), str) and value:
            return value[:_NAME_CHARACTERS]
    return ""


def name_of(raw: bytes) -> str:
    """Return the name of the kind of an event in JSON; '' where it has none or is no object."""
    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    return name_in(fields) if isinstance(fields, dict) else ""
