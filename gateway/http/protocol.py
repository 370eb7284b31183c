"""
HTTP/1.1 on a connection: uvicorn's protocol, with bounds of time, size and number that hold before any route.

uvicorn times out a connection only while nothing arrives after an answer. So a peer that sends its head byte
by byte, or nothing at all, would keep its connection for ever.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import ClassVar

import httptools
import orjson
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.concurrency_limit import busy
from gateway.http.errors import HttpError
from gateway.http.limits import ConnectionLimits

__all__ = ["MAX_HEAD_BYTES", "BoundedHttpProtocol", "server_config"]

MAX_HEAD_BYTES = 16_384
"""Largest head of a request: its first line and its headers."""

_FREE_CHUNKS, _BYTES_PER_CHUNK = 100, 64
"""A chunked body may have so many chunks, and one more for each so many bytes of it."""

_FIRST_REQUEST_SECONDS = 1.0
"""Time that a new connection has for its first request once the server stops."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """
    One connection within ``limits``; ``waiting`` are those whose peer the gateway waits for, longest first.

    What is refused here is answered with JSON, as everywhere, and the connection is closed. A connection
    beyond the limit closes the one that has waited longest, so slow peers can't keep out new ones.
    """

    limits: ClassVar[ConnectionLimits]
    waiting: ClassVar[dict[BoundedHttpProtocol, None]]

    _head_timer: asyncio.TimerHandle | None = None
    _head_deadline: float | None = None
    _head_bytes = 0
    _body_bytes = 0
    _chunks = 0
    _in_body = False
    _refusal: HttpError | None = None
    _stopping = False
    _ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and close the one that has waited longest if there are too many."""
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > self.limits.max_connections:
            longest = next(iter(self.waiting))
            longest.stop_waiting()
            if longest is self:
                self._refuse(busy())
            else:
                longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self.stop_waiting()
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, unless the head or the body takes more than it may."""
        if self.parser is None or self._ending or self.transport.is_closing():
            return
        if not self._in_body:
            self._head_bytes += _length_of_head(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                too_large = f"the head of a request has at most {MAX_HEAD_BYTES} bytes: send fewer headers"
                self._refuse(HttpError(431, "head_too_large", too_large))
                return
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade() + data[upgrade.args[0] :]
            except httptools.HttpParserError:
                self._refuse(
                    self._refusal or HttpError(400, "invalid_http", "this is not HTTP/1.1 (RFC 9112)")
                )
                return

    def on_headers_complete(self) -> None:
        """Pass a request on; the connection waits for its body from now on."""
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._refusal = HttpError(505, "http_version", f"HTTP/{version} is not spoken here: use HTTP/1.1")
            raise self._refusal
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refusal = HttpError(405, "method_not_allowed", "this is no proxy: use POST")
                raise self._refusal
            return
        self.stop_waiting()
        self.waiting[self] = None
        self._in_body, self._body_bytes, self._chunks = True, 0, 0
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, but none that stands behind a chunked body: nothing reads those."""
        if not self._in_body:
            super().on_header(name, value)

    def on_chunk_header(self) -> None:
        """Count a chunk; raise HttpError, and so end the request, when there are too many for their size."""
        self._chunks += 1
        if self._chunks > _FREE_CHUNKS + self._body_bytes // _BYTES_PER_CHUNK:
            self._refusal = HttpError(
                400, "small_chunks", "the body has too many small chunks: send larger ones"
            )
            raise self._refusal

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; the next head may begin."""
        if self.parser.should_upgrade():
            return
        self._in_body, self._head_bytes = False, 0
        self.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, also where this one's body was answered before it was read."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # the wait for a head is bounded here
        if (self._stopping or self._ending) and self.cycle.response_complete:
            self.transport.close()
        elif self.cycle.response_complete and not self.transport.is_closing():
            self._await_head()

    def shutdown(self) -> None:
        """Close the connection as the server stops, once a first request on its way is answered."""
        if self.cycle is None and not self._stopping:
            self._stopping = True
            self.loop.call_later(_FIRST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def stop_waiting(self) -> None:
        """Note that the gateway does not wait for this peer, or no longer."""
        self.waiting.pop(self, None)
        self._head_deadline = None

    def _without_upgrade(self) -> bytes:
        """
        Return the head that was just parsed, without its offer of another protocol, for a new parser.

        Some clients offer HTTP/2 with each request, and go on with HTTP/1.1 where nobody takes it.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _await_head(self) -> None:
        self.stop_waiting()
        self.waiting[self] = None
        self._head_deadline = self.loop.time() + self.limits.head_seconds
        if self._head_timer is None:
            self._head_timer = self.loop.call_at(self._head_deadline, self._check_head)

    def _check_head(self) -> None:
        """Look whether the head is late; one timer serves all requests of a connection in turn."""
        self._head_timer = None
        if self._head_deadline is None:
            return
        if self._head_deadline > self.loop.time():
            self._head_timer = self.loop.call_at(self._head_deadline, self._check_head)
        elif self._head_bytes and not self._in_body:
            seconds = f"{self.limits.head_seconds:g}"
            self._refuse(
                HttpError(408, "slow_head", f"the head took longer than {seconds} seconds: send it again")
            )
        else:
            self.transport.close()

    def _refuse(self, error: HttpError) -> None:
        """
        Answer with an error, and close the connection.

        A request whose body is the fault gets this answer instead of the application's. Where an earlier one
        is still to be answered, as where its Content-Length was too small, it is, and nothing after it.
        """
        if self.cycle is None or self.cycle.response_complete or (self._in_body and not self.pipeline):
            if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
                self.transport.close()
                return
            body = orjson.dumps(error.body())
            head = (
                f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        elif not self._in_body:
            self._ending = True
            return
        self.transport.close()


def server_config(app: ASGIApp, limits: ConnectionLimits) -> uvicorn.Config:
    """
    Return the configuration of the server that runs an application within these limits.

    One event loop, so one producer and one readiness. SIGTERM ends it within a few seconds, with the requests
    under way answered.
    """
    return uvicorn.Config(
        app,
        http=type("LimitedHttpProtocol", (BoundedHttpProtocol,), {"limits": limits, "waiting": {}}),
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=4,
    )


def _invalid() -> HttpError:
    return HttpError(400, "invalid_http", "this is not HTTP/1.1 as RFC 9112 defines it")


def _length_of_head(data: bytes) -> int:
    end = data.find(b"\r\n\r\n")
    return len(data) if end < 0 else end
