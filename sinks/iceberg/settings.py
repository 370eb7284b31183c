"""Settings of the Iceberg sink."""

from __future__ import annotations

from pydantic import Field

from sinks.port import Sink
from sinks.settings import SinkSettings

__all__ = ["IcebergSettings"]


class IcebergSettings(SinkSettings):
    """Settings of the Iceberg sink: the catalog, where files lie, and how many records a snapshot has."""

    catalog: str = Field(
        description="Address of the database that holds the catalog, as SQLAlchemy writes it: "
        "`sqlite:////var/lib/bellbuoy/catalog.db`, `postgresql+psycopg://user@host/db`."
    )
    warehouse: str = Field(description="Folder of the files: `file:///…`, `s3://…`.")
    namespace: str = Field(
        default="bellbuoy", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="Namespace of the tables."
    )
    io: dict[str, str] = Field(
        default={}, description="Further properties of pyiceberg's file access, such as `s3.endpoint`."
    )
    file_records: int = Field(
        default=100_000, gt=0, description="Records that are gathered in memory before they are appended."
    )
    file_seconds: float = Field(
        default=60.0, gt=0, description="Time after which also fewer records are appended."
    )

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.iceberg.sink import IcebergSink  # noqa: PLC0415 - brings the client

        return IcebergSink(self)
