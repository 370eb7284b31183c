"""Settings of write-back to one destination."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from sinks.port import Sink

__all__ = ["WritebackSettings"]


class WritebackSettings(BaseModel):
    """Settings of write-back to one destination: its mapping file and its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    mapping: Path = Field(description="Mapping file (docs/sinks/writeback.md).")
    secret: SecretStr = Field(default=SecretStr(""), description="What `{secret}` stands for in the file.")
    client_id: str = Field(default="", description="What `{client_id}` stands for in the file.")
    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/{}]+$",
        description="Scheme and host in place of those in the file, such as those of your own instance.",
    )
    gather_seconds: float = Field(
        default=10.0,
        ge=0,
        description="Time in which changes are gathered, so that of an account only the newest is sent.",
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=20, description="Longest wait for an answer.")

    def sink_named(self, name: str) -> Sink:
        """Return the sink, not yet open; raise SinkSettingsError for a mapping that can't be used."""
        from sinks.writeback.sink import WritebackSink  # noqa: PLC0415 - brings the client

        return WritebackSink(name, self)
