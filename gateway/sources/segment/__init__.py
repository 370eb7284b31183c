"""Segment: its HTTP tracking API, whose calls become usage events and account profiles."""

from __future__ import annotations

from gateway.sources.segment.calls import to_record
from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(name="segment", title="Segment", to_record=to_record)
