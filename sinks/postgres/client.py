"""Client for Postgres with bounded waits, and the messages about a Postgres that can't be used."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from sinks.port import SinkError, SinkSettingsError
from sinks.postgres.settings import PostgresSettings

__all__ = ["FIX", "connect", "public_url", "sink_error"]

FIX = "start it (`bellbuoy up`), or correct postgres.url (BELLBUOY_POSTGRES__URL)"
"""What an operator does about a Postgres that doesn't answer."""

_ANSWER_SECONDS = 20.0
"""How long any answer may take; below the time after which the role counts as stuck."""

_CONNECT_SECONDS = 5

T = TypeVar("T")


class _Connection(psycopg.Connection[Any]):
    """A connection that gives up a server which is silent: a hung machine keeps its sockets open."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        return super().wait(gen, interval, _ANSWER_SECONDS if timeout is None else timeout)


def connect(
    settings: PostgresSettings, kind: type[psycopg.Connection[Any]] = _Connection
) -> psycopg.Connection[Any]:
    """
    Return a connection whose search path is the sink's schema; one of another kind waits without bound.

    Raises SinkSettingsError for a URL that is none, and SinkError when Postgres is away.
    """
    try:
        return kind.connect(
            settings.url,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="bellbuoy",
            # The server ends by itself what the client gives up, a little earlier.
            options=f"-c search_path={settings.schema_name} -c timezone=UTC"
            " -c statement_timeout=18s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
        )
    except psycopg.ProgrammingError:  # its text may repeat a password
        raise SinkSettingsError(
            f"postgres.url: not an address such as postgresql://USER:PASSWORD@HOST:5432/DATABASE "
            f"(got {public_url(settings.url)!r}); correct BELLBUOY_POSTGRES__URL"
        ) from None
    except psycopg.Error as error:
        raise sink_error(settings, error) from error


def sink_error(settings: PostgresSettings, error: psycopg.Error) -> SinkError:
    """Return what an operator should know of an error that concerns the server, not a record."""
    where = f"Postgres at {public_url(settings.url)}"
    words = " ".join(str(error).split())
    match error:
        case errors.UndefinedTable() | errors.InvalidSchemaName() | errors.UndefinedColumn():
            return SinkError(f"{where} lacks Bellbuoy's tables: run `bellbuoy sinks migrate` ({words})", 5.0)
        case errors.InsufficientPrivilege():
            return SinkError(f"{where} refuses: the user of postgres.url lacks a right ({words})", 5.0)
        case errors.ReadOnlySqlTransaction():
            return SinkError(f"{where} is read-only: name the primary in postgres.url", 5.0)
        case errors.DiskFull() | errors.OutOfMemory():
            return SinkError(f"{where} is full: {words}", 5.0)
        case errors.LockNotAvailable() | errors.QueryCanceled() | errors.DeadlockDetected():
            return SinkError(f"{where} is busy: {words}")
    return SinkError(f"{where} is away: {words}; {FIX}")


def public_url(url: str) -> str:
    """Return the URL without user, password and parameters."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else "no URL"
    except ValueError:
        return "no URL"
