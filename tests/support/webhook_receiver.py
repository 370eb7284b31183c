"""HTTP server that receives webhooks, verifies them with the vendor's library, and misbehaves as scripted."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Behaviour = Callable[[Any], None]


class WebhookReceiver:
    """
    The server on a port of its own; ``with`` closes it.

    Each request meets the next of ``script``, then ``otherwise``. ``attempts`` are the ids of
    all verified posts, ``inbox`` the payloads of those that were taken, by id: a repetition is dropped.
    """

    def __init__(self, secret: str = SECRET) -> None:
        self.script: deque[Behaviour] = deque()
        self.otherwise: Behaviour = take
        self.attempts: list[str] = []
        self.methods: list[str] = []
        self.inbox: dict[str, Any] = {}
        self.over = threading.Event()
        self.verifier = Webhook(secret)
        receiver = self

        class Handler(_Handler):
            def receiver(self) -> WebhookReceiver:
                return receiver

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def keep(self, handler: _Handler) -> None:
        """Take the payload of a verified post, unless its id is known."""
        if handler.command == "POST":
            self.inbox.setdefault(handler.headers["webhook-id"], json.loads(handler.body))

    def close(self) -> None:
        """End the server; harmless when it is ended already."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    body: bytes = b""

    def receiver(self) -> WebhookReceiver:
        raise NotImplementedError

    def log_message(self, *_: Any) -> None:
        pass

    def do_OPTIONS(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def respond(self) -> None:
        receiver = self.receiver()
        receiver.methods.append(self.command)
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.command == "POST":
            receiver.verifier.verify(self.body, dict(self.headers))
            receiver.attempts.append(self.headers["webhook-id"])
        (receiver.script.popleft() if receiver.script else receiver.otherwise)(self)

    def reset(self) -> None:
        """Close the connection with a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def take(handler: _Handler) -> None:
    """Take the webhook and say so."""
    handler.receiver().keep(handler)
    handler.send_response(204)
    handler.end_headers()


def answer(status: int, **headers: str) -> Behaviour:
    """Don't take it; answer with a status and headers such as ``retry_after``."""

    def behave(handler: _Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return behave


def hang(handler: _Handler) -> None:
    """Don't take it, and never answer."""
    handler.receiver().over.wait(60)


def drip(handler: _Handler) -> None:
    """Don't take it, and answer so slowly that it never ends."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not handler.receiver().over.wait(0.05):
        try:
            handler.wfile.write(b"H")
        except OSError:
            return


def reset(handler: _Handler) -> None:
    """Don't take it, and reset the connection."""
    handler.reset()


def lose_the_answer(handler: Any) -> None:
    """Take it, and reset the connection before the answer is out."""
    handler.receiver().keep(handler)
    handler.reset()
