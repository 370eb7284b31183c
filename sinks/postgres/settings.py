"""Settings of the Postgres sink."""

from __future__ import annotations

from pydantic import Field

from sinks.port import Sink
from sinks.settings import SinkSettings

__all__ = ["PostgresSettings"]


class PostgresSettings(SinkSettings):
    """Settings of the Postgres sink: the database and the schema in it."""

    url: str = Field(
        default="postgresql://bellbuoy@127.0.0.1:5432/bellbuoy",
        description="Address of the database, with user and password if it asks for them; "
        "`?sslmode=verify-full` is TLS.",
    )
    schema_name: str = Field(
        default="bellbuoy",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Schema that holds the tables and views.",
    )

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.postgres.sink import PostgresSink  # noqa: PLC0415 - brings the client

        return PostgresSink(self)
