"""Reader of request bodies: gunzips them, and bounds their size before and after decompression."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from gateway.http.errors import Fault, HttpError
from gateway.http.limits import RequestLimits

__all__ = ["check_event_size", "gunzip", "read_body"]

_GZIP = 16 + zlib.MAX_WBITS


async def read_body(request: Request, limits: RequestLimits) -> bytes:
    """
    Return the body, decompressed, within the limits of size and time.

    Raises HttpError: 413 for a body that is too large, compressed or decompressed; 408 for one that arrives
    too slowly; 415 for an encoding other than gzip; 400 for bytes that are not gzip.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise HttpError(415, "unsupported_encoding", "Content-Encoding: use gzip or none")
    limit = limits.max_body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    data = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        message = f"the body took longer than {limits.body_seconds:g} seconds: send it again"
        raise HttpError(408, "slow_body", message) from None
    return gunzip(bytes(data), limit) if encoding in ("gzip", "x-gzip") else bytes(data)


def gunzip(data: bytes, limit: int) -> bytes:
    """Return the content of gzip members; raise HttpError past ``limit`` bytes or for bad gzip."""
    out = bytearray()
    while data or not out:
        member = zlib.decompressobj(wbits=_GZIP)
        try:
            out += member.decompress(data, limit + 1 - len(out))
        except zlib.error as error:
            raise HttpError(400, "invalid_gzip", f"the body is not gzip: {error}") from error
        if len(out) > limit:
            raise _too_large(limit)
        if not member.eof:
            raise HttpError(400, "invalid_gzip", "the body is not gzip: it ends early")
        data = member.unused_data
        if not data:
            break
    return bytes(out)


def check_event_size(event: bytes, limits: RequestLimits) -> None:
    """Raise Fault when the JSON of one event is larger than ``max_event_bytes``."""
    if len(event) > limits.max_event_bytes:
        raise Fault(f"an event has at most {limits.max_event_bytes} bytes")


def _too_large(limit: int) -> HttpError:
    return HttpError(
        413, "too_large", f"the body is larger than {limit} bytes, decompressed: send smaller batches"
    )
