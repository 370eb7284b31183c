"""Live streams: server-sent events that carry a part of a page each time it looks different."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from starlette.responses import StreamingResponse

from bellbuoy.console.live import LivePictures
from bellbuoy.console.metrics import STREAMS

__all__ = ["View", "live_response"]

_PING_SECONDS = 15.0
_LEAST_SECONDS = 0.3
_MOST_SECONDS = 900.0
"""After so long the browser connects anew, and who is not signed in any more gets no further."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Encoding": "gzip",
    "X-Accel-Buffering": "no",
}

View = Callable[[], Awaitable[str | None]]
"""Renders the live part of a page; ``None`` while there is nothing to show yet."""


def live_response(
    pictures: LivePictures, view: View, stopping: asyncio.Event, signed_in: Callable[[], bool]
) -> StreamingResponse:
    """
    Return a stream of events: ``view`` with HTML, and ``status`` with whether the serving sink answers.

    It ends when the console stops, or the one who reads it is not signed in any more. It is compressed as a
    whole, so that a part which changed a little costs little.
    """
    return StreamingResponse(
        _packed(_events(pictures, view, stopping, signed_in)),
        headers=_HEADERS,
        media_type="text/event-stream",
    )


async def _packed(events: AsyncIterator[str]) -> AsyncIterator[bytes]:
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    async for event in events:
        yield pack.compress(event.encode()) + pack.flush(zlib.Z_SYNC_FLUSH)


async def _events(
    pictures: LivePictures, view: View, stopping: asyncio.Event, signed_in: Callable[[], bool]
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    ends, shown, status = loop.time() + _MOST_SECONDS, None, None
    STREAMS.inc()
    try:
        yield "retry: 1000\n\n"
        while loop.time() < ends and not stopping.is_set() and signed_in():
            since = pictures.changes
            now = {"away": pictures.away, "seen_at": pictures.seen_at if pictures.away else None}
            if now != status:
                status = now
                yield f"event: status\ndata: {orjson.dumps(now).decode()}\n\n"
            html = await view()
            if html is not None and html != shown:
                shown = html
                yield f"event: view\n{_data(html)}\n\n"
            else:
                yield ": nothing else\n\n"  # a browser that has gone is noticed by writing to it
            # First a pause, so that of many changes one picture is sent.
            await asyncio.sleep(_LEAST_SECONDS)
            await pictures.changed(since, _PING_SECONDS)
    finally:
        STREAMS.dec()


def _data(text: str) -> str:
    return "\n".join(f"data: {line}" for line in text.splitlines())
