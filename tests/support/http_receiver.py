"""HTTP servers of services that take JSON: they keep what they took, and misbehave as scripted."""

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
from urllib.parse import parse_qs

Behaviour = Callable[[Any], None]


class ScriptedServer:
    """
    An HTTP server on a port of its own; ``with`` closes it.

    Each request meets the next of ``script``, then ``otherwise``, by default ``answer``. A kind of server
    says what it keeps of a request, and how it answers one that is taken.
    """

    def __init__(self) -> None:
        self.script: deque[Behaviour] = deque()
        self.otherwise: Behaviour = take
        self.methods: list[str] = []
        self.over = threading.Event()
        receiver = self

        class Handler(_Handler):
            def receiver(self) -> Any:
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

    def close(self) -> None:
        """End the server; harmless when it is ended already."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def arrived(self, handler: _Handler) -> None:
        """Look at a request before it is taken or not."""
        self.methods.append(handler.command)

    def keep(self, handler: _Handler) -> None:
        """Take what a request holds."""
        raise NotImplementedError

    def answer(self, handler: _Handler) -> None:
        """Take a request and say so."""
        self.keep(handler)
        handler.reply(204)


class HttpReceiver(ScriptedServer):
    """
    A service that takes JSON.

    ``taken`` are the bodies that were taken, without repetitions where the service has a ``key`` to know them
    by.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Any] = []
        self.paths: list[str] = []
        self.key: Callable[[Any], Any] | None = None
        self._keys: set[Any] = set()

    def keep(self, handler: _Handler) -> None:
        """Take the body of a request."""
        if handler.command != "POST":
            return
        body = handler.content()
        key = None if self.key is None else self.key(body)
        if key is None or key not in self._keys:
            self._keys.add(key)
            self.taken.append(body)

    def answer(self, handler: _Handler) -> None:
        """Take a request and say so."""
        self.keep(handler)
        handler.reply(202 if handler.command == "POST" else 204)


class SlackReceiver(HttpReceiver):
    """
    The part of Slack's Web API that the channel uses.

    ``messages`` are the messages of all channels as people see them, by channel and timestamp.
    """

    def __init__(self, token: str) -> None:
        super().__init__()
        self.messages: dict[tuple[str, str], Any] = {}
        self._token = token

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    def keep(self, handler: _Handler) -> None:
        """Take the body of a call that posts or changes a message."""
        if not handler.path.endswith("auth.test"):
            body = handler.content()
            self.taken.append(body)
            place = "C0123456", body.get("ts") or f"17000000{len(self.messages):02d}.000100"
            self.messages[place] = body

    def answer(self, handler: _Handler) -> None:
        """Answer a call as Slack does."""
        self.paths.append(handler.path)
        if handler.headers.get("authorization") != f"Bearer {self._token}":
            handler.reply(200, {"ok": False, "error": "invalid_auth"})
        elif handler.path.endswith("auth.test"):
            handler.reply(200, {"ok": True})
        elif handler.path.endswith("chat.update") and (
            ("C0123456", handler.content()["ts"]) not in self.messages
        ):
            handler.reply(200, {"ok": False, "error": "message_not_found"})
        else:
            before = set(self.messages)
            self.keep(handler)
            ts = handler.content().get("ts") or next(iter(set(self.messages) - before))[1]
            handler.reply(200, {"ok": True, "channel": "C0123456", "ts": ts})


def slack_error(code: str) -> Behaviour:
    """Don't take it; answer with an error of Slack's."""
    return lambda handler: handler.reply(200, {"ok": False, "error": code})


class _Handler(BaseHTTPRequestHandler):
    body: bytes = b""

    def receiver(self) -> Any:
        raise NotImplementedError

    def log_message(self, *_: Any) -> None:
        pass

    def do_OPTIONS(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def do_GET(self) -> None:
        self.respond()

    def do_PUT(self) -> None:
        self.respond()

    def do_PATCH(self) -> None:
        self.respond()

    def respond(self) -> None:
        receiver = self.receiver()
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        receiver.arrived(self)
        (receiver.script.popleft() if receiver.script else receiver.otherwise)(self)

    def content(self) -> Any:
        """Return the body: JSON, or a form whose fields may hold JSON."""
        if "json" in self.headers.get("content-type", ""):
            return json.loads(self.body)
        fields = {name: values[0] for name, values in parse_qs(self.body.decode()).items()}
        return {name: json.loads(value) if value[:1] in "[{" else value for name, value in fields.items()}

    def reply(self, status: int, content: object = None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Close the connection with a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def take(handler: _Handler) -> None:
    """Take the request and say so."""
    handler.receiver().answer(handler)


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
