"""Typed events: the records of any input topic as plain JSON, without a vendor's format."""

from __future__ import annotations

from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(name="api", title="Typed events", to_record=None)
