"""CloudEvents: events of any system in the CNCF's format over HTTP, alone or in batches."""

from __future__ import annotations

from gateway.sources.cloudevents.events import to_record
from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(name="cloudevents", title="CloudEvents", to_record=to_record)
