"""CloudEvents: events of any system in the CNCF's format over HTTP, alone or in batches."""

from __future__ import annotations

from gateway.field_policy import FieldRules
from gateway.sources.cloudevents.events import to_record
from gateway.sources.source import Source

__all__ = ["SOURCE"]

SOURCE = Source(
    name="cloudevents",
    title="CloudEvents",
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/specversion",
            "/id",
            "/source",
            "/type",
            "/time",
        ),
        kept=(
            "/subject",
            "/data",
            "/data_base64",
        ),
    ),
)
