"""Reader of request bodies: bounds their size, time and memory, and gunzips them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from starlette.requests import Request

from gateway.http.concurrency_limit import ConcurrencyLimit, busy
from gateway.http.errors import Fault, HttpError
from gateway.http.limits import RequestLimits

__all__ = [
    "MAX_GZIP_MEMBERS",
    "MAX_UNPROVEN_GZIP_BYTES",
    "BodyReader",
    "check_batch_size",
    "check_event_size",
    "gunzip",
    "media_type",
]

MAX_GZIP_MEMBERS = 16
"""Most gzip members in one body; senders write one."""

MAX_UNPROVEN_GZIP_BYTES = 65_536
"""
Largest compressed body of a sender whose key is not in the header.

Deflate can be written so that 512,000 bytes take 33 ms to decompress to nothing; 64 KB of it take 4 ms.
"""

_GZIP = 16 + zlib.MAX_WBITS
_SLICE = 65_536
"""Bytes decompressed before other requests get their turn."""


@dataclass(eq=False, slots=True)
class _Arrival:
    """A body that is arriving; ``timeout`` ends the wait for the rest of it."""

    timeout: asyncio.Timeout
    data: bytearray = field(default_factory=bytearray)
    given_up: bool = False


class BodyReader:
    """
    Reads the bodies of all requests within the limits of size, time and memory.

    Bodies that are still arriving hold at most as much memory as ``max_requests`` of the largest ones. Beyond
    it the one that has taken longest is given up, so that slow senders can't shut out the others.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._concurrency = ConcurrencyLimit(limits.max_requests)
        self._arrivals: dict[_Arrival, None] = {}
        self._arriving_bytes = 0

    def body_of(self, request: Request, *, proven: bool) -> AbstractAsyncContextManager[bytes]:
        """
        Receive a body, and count the request as under way during an ``async with`` block.

        ``proven`` tells that the key in the header is known. The value is the body, decompressed.
        Raises HttpError: 503 while too many requests are under way, unread; 413 for a body that is too large,
        compressed or decompressed; 408 for one that arrives too slowly; 415 for an encoding other than gzip;
        400 for bytes that are not gzip.
        """
        return _BodyOfRequest(self._enter(request, proven=proven), self._concurrency)

    async def _enter(self, request: Request, *, proven: bool) -> bytes:
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip", ""):
            raise HttpError(415, "unsupported_encoding", "Content-Encoding: use gzip or none")
        gzipped = encoding in ("gzip", "x-gzip")
        limit = self._limits.max_body_bytes
        if gzipped and not proven:
            limit = min(limit, MAX_UNPROVEN_GZIP_BYTES)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit:
            raise _too_large(limit, gzipped=gzipped)
        self._concurrency.check()
        data = await self._receive(request, limit, gzipped=gzipped)
        self._concurrency.enter()
        try:
            return await gunzip(data, self._limits.max_body_bytes) if gzipped else data
        except BaseException:
            self._concurrency.leave()
            raise

    async def _receive(self, request: Request, limit: int, *, gzipped: bool) -> bytes:
        arrival = _Arrival(asyncio.timeout(self._limits.body_seconds))
        self._arrivals[arrival] = None
        try:
            async with arrival.timeout:
                async for chunk in request.stream():
                    arrival.data += chunk
                    self._arriving_bytes += len(chunk)
                    if len(arrival.data) > limit:
                        raise _too_large(limit, gzipped=gzipped)
                    self._bound_memory()
                    if arrival.given_up:
                        raise busy()
            return bytes(arrival.data)
        except TimeoutError:
            if arrival.given_up:
                raise busy() from None
            message = f"the body took longer than {self._limits.body_seconds:g} seconds: send it again"
            raise HttpError(408, "slow_body", message) from None
        finally:
            del self._arrivals[arrival]
            self._arriving_bytes -= len(arrival.data)

    def _bound_memory(self) -> None:
        """Give up the bodies that have been arriving longest while all of them hold too many bytes."""
        most = self._limits.max_requests * self._limits.max_body_bytes
        for arrival in self._arrivals:
            if self._arriving_bytes <= most:
                return
            self._arriving_bytes -= len(arrival.data)
            arrival.data.clear()
            arrival.given_up = True
            if not arrival.timeout.expired():
                arrival.timeout.reschedule(asyncio.get_running_loop().time())


class _BodyOfRequest(AbstractAsyncContextManager[bytes]):
    """A body, and its request's place among those under way; a class, as a generator takes twice as long."""

    __slots__ = ("_body", "_concurrency")

    def __init__(self, body: Awaitable[bytes], concurrency: ConcurrencyLimit) -> None:
        self._body = body
        self._concurrency = concurrency

    async def __aenter__(self) -> bytes:
        return await self._body

    async def __aexit__(self, *_error: object) -> None:
        self._concurrency.leave()


async def gunzip(data: bytes, limit: int) -> bytes:
    """
    Return the content of at most MAX_GZIP_MEMBERS gzip members, with or without zeros after them.

    Raises HttpError past ``limit`` bytes or for bad gzip. Other tasks run after every 64 KB of compressed
    data.
    """
    out = bytearray()
    at = 0
    for _ in range(MAX_GZIP_MEMBERS):
        member = zlib.decompressobj(wbits=_GZIP)
        while not member.eof:
            part = data[at : at + _SLICE]
            if not part:
                raise HttpError(400, "invalid_gzip", "the body is not gzip: it ends early")
            try:
                out += member.decompress(part, limit + 1 - len(out))
            except zlib.error as error:
                raise HttpError(400, "invalid_gzip", f"the body is not gzip: {error}") from error
            if len(out) > limit:
                raise _too_large(limit)
            at += len(part) - len(member.unused_data)
            if at < len(data):
                await asyncio.sleep(0)
        if not data[at:].strip(b"\0"):
            return bytes(out)
    raise HttpError(400, "invalid_gzip", f"the body has more than {MAX_GZIP_MEMBERS} gzip members: send one")


def check_event_size(event: bytes, limits: RequestLimits) -> None:
    """Raise Fault when the JSON of one event is larger than ``max_event_bytes``."""
    if len(event) > limits.max_event_bytes:
        raise Fault(f"an event has at most {limits.max_event_bytes} bytes")


def check_batch_size(events: int, limits: RequestLimits, what: str = "batch", pointer: str = "") -> None:
    """Raise HttpError when so many events are more than ``max_batch_events``; *what* they stand in."""
    if events > limits.max_batch_events:
        raise HttpError(413, "too_large", f"a {what} has at most {limits.max_batch_events} events", pointer)


def media_type(request: Request) -> str:
    """Return the media type of a request's body in small letters, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _too_large(limit: int, *, gzipped: bool = False) -> HttpError:
    if gzipped and limit == MAX_UNPROVEN_GZIP_BYTES:
        fix = "send the key in the Authorization header, or smaller batches"
        return HttpError(413, "too_large", f"a compressed body without one has at most {limit} bytes: {fix}")
    return HttpError(
        413, "too_large", f"the body is larger than {limit} bytes, decompressed: send smaller batches"
    )
