"""
One Kafka and one Redis for the whole test run, started when the first test asks.

The process that pytest was started in owns them, also under xdist, whose workers ask it over a
local socket; so they end with the run, whatever becomes of a worker.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import tempfile
import threading
from pathlib import Path

from bellbuoy.local.embedded import Kafka, Redis

_VARIABLE = "BELLBUOY_TEST_SERVICES"


class Services:
    """The owner's side; ``close`` stops everything and removes the data."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._servers: list[Kafka | Redis] = []
        self._answer = b""
        services = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(services.answer())

        self._listener = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._listener.daemon_threads = True
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()
        os.environ[_VARIABLE] = str(self._listener.server_address[1])

    def answer(self) -> bytes:
        with self._lock:
            if not self._answer:
                try:
                    self._answer = json.dumps(self._start()).encode()
                except Exception as error:
                    self._answer = json.dumps({"error": str(error)}).encode()
            return self._answer

    def _start(self) -> dict[str, str]:
        self._folder = Path(tempfile.mkdtemp(prefix="bellbuoy-tests-"))
        kafka, redis = Kafka(self._folder / "kafka"), Redis(self._folder / "redis")
        self._servers = [kafka, redis]
        kafka.launch()
        redis.start()
        kafka.wait_ready()
        return {"bootstrap": kafka.bootstrap, "redis_url": redis.url}

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        with self._lock:
            for server in self._servers:
                server.stop()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)


def ask() -> dict[str, str]:
    """Return the addresses, from whichever process of the run."""
    with socket.create_connection(("127.0.0.1", int(os.environ[_VARIABLE])), timeout=170) as connection:
        answer = json.loads(b"".join(iter(lambda: connection.recv(4096), b"")))
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer
