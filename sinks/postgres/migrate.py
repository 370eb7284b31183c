"""
Migrations of the Postgres sink: numbered SQL files, each applied once and in one transaction.

The table ``migrations`` says which were applied, with a hash of each, so that a file that was changed after
its release is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql

from sinks.port import SinkSettingsError

__all__ = ["MIGRATIONS", "Migration", "apply", "pending"]


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of SQL, by its number."""

    version: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """The hash of the text."""
        return sha256(self.text.encode()).hexdigest()


_LOCK = 7_155_801_202
"""Number of the lock under which migrations are applied."""


def _read() -> tuple[Migration, ...]:
    files = sorted(
        (each for each in (resources.files("sinks.postgres") / "migrations").iterdir()),
        key=lambda each: each.name,
    )
    return tuple(
        Migration(int(each.name[:4]), each.name.removesuffix(".sql"), each.read_text())
        for each in files
        if each.name.endswith(".sql")
    )


MIGRATIONS = _read()
"""Every migration, in order."""


def pending(connection: psycopg.Connection[Any], schema: str) -> list[Migration]:
    """
    Return the migrations that the database lacks.

    Raises SinkSettingsError for one that is newer than this release, or that was applied from another text.
    """
    known = {each.version: each for each in MIGRATIONS}
    found = connection.execute("SELECT to_regclass(%s)", (f"{schema}.migrations",)).fetchone()
    if found is None or found[0] is None:
        return list(MIGRATIONS)
    applied = dict(connection.execute("SELECT version, digest FROM migrations").fetchall())
    for version, digest in applied.items():
        if version not in known:
            raise SinkSettingsError(
                f"postgres: the schema {schema} has migration {version}, which this release doesn't know: "
                "run the newer release, or name another schema in postgres.schema_name"
            )
        if digest != known[version].digest:
            raise SinkSettingsError(
                f"postgres: migration {known[version].name} was applied to the schema {schema} from another "
                "text: restore that release's file, or name another schema in postgres.schema_name"
            )
    return [each for each in MIGRATIONS if each.version not in applied]


def apply(connection: psycopg.Connection[Any], schema: str, applied: Callable[[str], None]) -> None:
    """
    Apply the migrations that the database lacks; ``applied`` is called with the name of each.

    Several may run at once: each waits for the other. Raises psycopg's errors.
    """
    connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # until the connection is closed
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (version int PRIMARY KEY, name text NOT NULL, "
        "digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    for migration in pending(connection, schema):
        with connection.transaction():
            connection.execute(migration.text)
            connection.execute(
                "INSERT INTO migrations (version, name, digest) VALUES (%s, %s, %s)",
                (migration.version, migration.name, migration.digest),
            )
        applied(migration.name)
