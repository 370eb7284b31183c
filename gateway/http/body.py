"""Read a request's body, gunzipped, within a bound that holds before and after decompression."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from gateway.http.errors import Fault, HttpError
from gateway.settings import GatewaySettings

__all__ = ["bounded", "gunzip", "read_body"]

_GZIP = 16 + zlib.MAX_WBITS


async def read_body(request: Request, settings: GatewaySettings) -> bytes:
    """
    Return the body, within the settings' bounds of size and time.

    Raises HttpError: 413 past the size, compressed or not; 408 past the time; 415 for an encoding other
    than gzip; 400 for bytes that are not gzip.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise HttpError(415, "unsupported_encoding", "Content-Encoding: use gzip or none")
    limit = settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    data = bytearray()
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        message = f"the body took longer than {settings.body_seconds:g} seconds: send it again"
        raise HttpError(408, "slow_body", message) from None
    return gunzip(bytes(data), limit) if encoding in ("gzip", "x-gzip") else bytes(data)


def gunzip(data: bytes, limit: int) -> bytes:
    """Return what gzip members hold; raise HttpError past ``limit`` bytes or for bad gzip."""
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


def bounded(event: bytes, limit: int) -> bytes:
    """Return the event's JSON; raise Fault when it is larger than ``limit`` bytes."""
    if len(event) > limit:
        raise Fault(f"an event has at most {limit} bytes")
    return event


def _too_large(limit: int) -> HttpError:
    return HttpError(
        413, "too_large", f"the body is larger than {limit} bytes, decompressed: send smaller batches"
    )
