"""Settings of the lake sink."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from sinks.port import Sink
from sinks.settings import SinkSettings

__all__ = ["LakeSettings"]


class LakeSettings(SinkSettings):
    """Settings of the lake sink: the folder, and how many records a file has."""

    path: Path = Field(description="Folder of the Parquet files, on a local or mounted disk.")
    file_records: int = Field(
        default=100_000,
        gt=0,
        description="Records that are gathered in memory before files are written.",
    )
    file_seconds: float = Field(
        default=60.0, gt=0, description="Time after which files are written also with fewer records."
    )

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.lake.sink import LakeSink  # noqa: PLC0415 - brings the client

        return LakeSink(self)
