"""HTTP client that repeats a request as the gateway asks: with the same ids, after ``Retry-After``."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Mapping

import aiohttp

from bellbuoy.simulator.wire.carrier import CarrierError, Receipt

__all__ = ["Client"]

_CONNECTIONS = 8
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_TRY_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_MAX_PAUSE = 5.0
_MIN_GZIP_BYTES = 4_096
_LOOPBACK = ("http://127.", "http://localhost", "http://[::1]")


class Client:
    """
    Posts JSON bodies over at most eight kept-alive connections.

    ``patience`` is for how many seconds a request is repeated before CarrierError.
    """

    def __init__(self, url: str, patience: float = 120.0) -> None:
        self._url = url.rstrip("/")
        self._patience = patience
        self._gzip = not self._url.startswith(_LOOPBACK)  # on loopback it costs more than it saves
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_CONNECTIONS)

    async def post(
        self, path: str, body: bytes, events: int, headers: Callable[[], Mapping[str, str]]
    ) -> Receipt:
        """
        Post until the body is accepted; ``headers`` is called at each attempt, because a signature expires.

        Raises CarrierError for an answer that a repetition can't change, and when the patience is over.
        """
        deadline = time.monotonic() + self._patience
        repeated, pause = 0, 0.2
        async with self._slots:
            while True:
                fault, wait, unclear = await self._attempt(path, body, headers())
                if fault is None:
                    return Receipt(events, repeated)
                if time.monotonic() + (wait or pause) > deadline:
                    raise CarrierError(
                        f"{self._url}{path} took nothing for {self._patience:.0f} s ({fault}): "
                        "start the gateway (`bellbuoy up`), or correct --gateway"
                    )
                repeated += events if unclear else 0
                await asyncio.sleep(wait or pause)
                pause = min(2 * pause, _MAX_PAUSE)

    async def probe(self) -> None:
        """Raise CarrierError when nobody answers at the address."""
        try:
            async with self._open().get(f"{self._url}/livez") as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise CarrierError(
                f"the gateway doesn't answer on {self._url} ({error or type(error).__name__}): start it "
                "(`bellbuoy up` or `bellbuoy gateway`), or correct --gateway"
            ) from None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _attempt(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[str | None, float | None, bool]:
        """Return the error or ``None``, the seconds to wait, and whether the body may have been accepted."""
        all_headers = {"Content-Type": "application/json"} | dict(headers)
        if self._gzip and len(body) >= _MIN_GZIP_BYTES:
            body, all_headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        try:
            async with self._open().post(self._url + path, data=body, headers=all_headers) as answer:
                content = await answer.read()
                if 200 <= answer.status < 300 and answer.status != 207:
                    return None, None, False
                if answer.status in _TRY_AGAIN:
                    return f"HTTP {answer.status}", _seconds(answer.headers.get("Retry-After")), True
                text = content.decode(errors="replace")[:300]
                raise CarrierError(f"{self._url}{path} refused: HTTP {answer.status} {text}")
        except aiohttp.ClientConnectorError as error:
            return str(error), None, False
        except (aiohttp.ClientError, TimeoutError) as error:
            return str(error) or type(error).__name__, None, True

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
            self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self._session


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
