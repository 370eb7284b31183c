"""Streams of JSON lines that go on until the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

import orjson
from starlette.responses import StreamingResponse

__all__ = ["json_lines"]

_QUIET_SECONDS = 5.0
"""After so long without a line an empty one is sent, so that each side notices that the other is gone."""


def json_lines(source: AbstractContextManager[asyncio.Queue[dict[str, Any]]]) -> StreamingResponse:
    """Return an answer that sends each item of a queue as a line of JSON."""

    async def lines() -> AsyncIterator[bytes]:
        with source as queue:
            yield b"\n"
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), _QUIET_SECONDS)
                except TimeoutError:
                    yield b"\n"
                else:
                    yield orjson.dumps(item) + b"\n"

    return StreamingResponse(
        lines(), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"}
    )
