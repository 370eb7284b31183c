"""One real Postgres for this test process, started when first asked for; a database for each that asks."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from bellbuoy.local.embedded import Postgres
from sinks.postgres.settings import PostgresSettings
from sinks.postgres.sink import PostgresSink

_NOT_CONTENT = ("migrations", "positions")


@cache
def server() -> Postgres:
    """Return the process's server; it ends with the process."""
    folder = Path(tempfile.mkdtemp(prefix="bellbuoy-postgres-"))
    postgres = Postgres(folder)
    postgres.start()

    def end() -> None:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return postgres


def database(postgres: Postgres | None = None) -> str:
    """Return the address of a new, empty database."""
    url, name = (postgres or server()).url, f"t{uuid.uuid4().hex[:10]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"


def migrated(postgres: Postgres | None = None) -> PostgresSettings:
    """Return the settings of a new database that has the tables."""
    settings = PostgresSettings(url=database(postgres))
    PostgresSink(settings).migrate(lambda _: None)
    return settings


@contextmanager
def away(url: str) -> Iterator[None]:
    """Let nobody into a database for a while, and end those who are in."""
    name = url.rpartition("/")[2]
    with psycopg.connect(server().url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def query(settings: PostgresSettings, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query in the sink's schema."""
    options = f"-c search_path={settings.schema_name} -c timezone=UTC"
    with psycopg.connect(settings.url, options=options, autocommit=True) as connection:
        answer = connection.execute(statement)
        return answer.fetchall() if answer.description else []


def content(settings: PostgresSettings) -> dict[str, list[Any]]:
    """Return every row of every table, without migrations and positions."""
    tables = query(
        settings,
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1",
    )
    return {
        table: sorted(row for (row,) in query(settings, f"SELECT t::text FROM {table} t"))
        for (table,) in tables
        if table not in _NOT_CONTENT
    }
