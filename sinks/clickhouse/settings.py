"""Settings of the ClickHouse sink."""

from __future__ import annotations

from pydantic import Field, SecretStr

from sinks.port import Sink
from sinks.settings import SinkSettings

__all__ = ["ClickHouseSettings"]


class ClickHouseSettings(SinkSettings):
    """Settings of the ClickHouse sink: the server and the database in it."""

    url: SecretStr = Field(
        description="Address of the server's HTTP interface with user and password: "
        "`clickhouses://user:password@host:8443` is TLS, `clickhouse://…:8123` is not."
    )
    database: str = Field(
        default="bellbuoy",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="Database that holds the tables.",
    )
    timeout_seconds: float = Field(default=15.0, gt=0, le=20, description="Longest wait for an answer.")

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.clickhouse.sink import ClickHouseSink  # noqa: PLC0415 - brings the client

        return ClickHouseSink(self)
