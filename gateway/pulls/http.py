"""The client with which sources ask vendors over HTTP: within a rate, with bounded waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from gateway.pulls.pull import PullError, PullRefusedError
from schemas.retry_after import retry_after_seconds

if TYPE_CHECKING:  # every command loads the sources' settings, and only one polls
    import aiohttp

__all__ = ["HttpClient"]

_MOST_ANSWER_BYTES = 32_000_000
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER = 401, 403, 429, 500


class HttpClient:
    """
    A client of one vendor.

    ``headers`` go with each request. At most ``requests_per_second`` are sent, in one connection that stays
    open; an answer takes ``timeout_seconds`` at most. A refusal (403) with ``used_up`` in it says that the
    requests of the day are used up.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float, requests_per_second: float, used_up: bytes | None = None
    ) -> None:
        self.host = urlsplit(url).netloc
        self.headers: dict[str, str] = {}
        self._url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._pause = 1 / requests_per_second
        self._used_up = used_up
        self._next_at = 0.0
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the JSON at a path; raise PullError."""
        return self._ask("GET", path, params=params)

    def post(self, path: str, body: Any) -> Any:
        """Return the JSON that answers a body; raise PullError."""
        return self._ask("POST", path, json=body)

    def post_form(self, path: str, form: Mapping[str, str]) -> Any:
        """Return the JSON that answers a form; raise PullError."""
        return self._ask("POST", path, data=form)

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._runner.run(self._session.close())
        self._runner.close()

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        from aiohttp import ClientError  # noqa: PLC0415

        time.sleep(max(0.0, self._next_at - time.monotonic()))
        self._next_at = time.monotonic() + self._pause
        try:
            status, headers, raw = self._runner.run(self._exchange(method, path, content))
        except (ClientError, TimeoutError) as error:
            raise PullError(f"{self.host} doesn't answer: {type(error).__name__}") from error
        if len(raw) > _MOST_ANSWER_BYTES:
            raise PullError(f"{self.host} answered more than {_MOST_ANSWER_BYTES:,} bytes to {path}")
        if status == _TOO_MANY or status >= _SERVER:
            raise PullError(
                f"{self.host} answered {status}",
                retry_after_seconds(headers.get("retry-after", ""), datetime.now(UTC)),
            )
        if status == _FORBIDDEN and self._used_up is not None and self._used_up in raw:
            raise PullError(f"{self.host}: the requests of the day are used up", 900.0)
        if status >= 400:
            refused = PullRefusedError if status in (_UNAUTHORIZED, _FORBIDDEN) else PullError
            raise refused(f"{self.host} answered {status} to {path}: {_excerpt(raw)}")
        try:
            return msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise PullError(f"{self.host} answered no JSON to {path}: {_excerpt(raw)}") from error

    async def _exchange(
        self, method: str, path: str, content: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar  # noqa: PLC0415

        if self._session is None:
            timeout = ClientTimeout(total=self._timeout_seconds)
            self._session = ClientSession(timeout=timeout, cookie_jar=DummyCookieJar())
        asked = self._session.request(
            method, self._url + path, headers=self.headers, allow_redirects=False, **content
        )
        async with asked as response:
            return response.status, response.headers, await _read(response.content)


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return an answer, or a little more of it than is allowed."""
    raw = bytearray()
    async for chunk in content.iter_any():
        raw += chunk
        if len(raw) > _MOST_ANSWER_BYTES:
            break
    return bytes(raw)


def _excerpt(raw: bytes) -> str:
    return raw[:300].decode(errors="replace") or "nothing more"
