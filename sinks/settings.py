"""Base of a sink's section in the settings: how the sink of these settings, and its reader, are built."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from sinks.port import Sink
from sinks.serving import Reader

__all__ = ["SinkSettings"]


class SinkSettings(BaseModel):
    """
    Settings of one sink.

    A subclass that is a field of the deployment's settings makes delivery write to its sink. Implementations
    import their client inside these methods: the settings are read by commands that need no client.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        raise NotImplementedError

    def reader(self) -> Reader | None:
        """Return a reader of what the sink wrote, ``None`` when it can't be read; raise SinkSettingsError."""
        return None
