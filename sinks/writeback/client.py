"""
Client of write-back's requests: within rate and budget, with bounded waits and sessions.

A token that has run out is fetched anew once; what is refused then is a wrong secret.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from schemas.retry_after import retry_after_seconds
from schemas.times import DAY
from sinks.port import DailyUse, SinkError
from sinks.writeback.mapping import WritebackMapping
from sinks.writeback.settings import WritebackSettings
from sinks.writeback.template import rendered, value_at

__all__ = ["Reply", "WritebackClient"]

_MOST_ANSWER_BYTES = 4_000_000
_LONGEST_RATE_WAIT_SECONDS = 5.0
"""A rate that asks for a longer pause is kept by offering the rest later."""
_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER = 401, 403, 429, 500


class Reply(NamedTuple):
    """A status, and the JSON of the answer, ``None`` where it is none."""

    status: int
    content: Any


class WritebackClient:
    """
    Client of one destination.

    ``use`` counts its requests of the UTC day, those that failed included; ``values`` are the settings that
    templates may name.
    """

    def __init__(self, name: str, mapping: WritebackMapping, settings: WritebackSettings) -> None:
        self.host = urlsplit(settings.url or mapping.url).netloc
        self.use = DailyUse(_today(), 0)
        self._name, self._mapping, self._settings = name, mapping, settings
        self.values = {"secret": settings.secret.get_secret_value(), "client_id": settings.client_id}
        self._token: str | None = None
        self._runner: asyncio.Runner | None = None
        self._next_at = 0.0

    def check(self) -> None:
        """Send what changes nothing, as every write is sent; raise SinkError."""
        check = self._mapping.check
        if check is not None:
            self._request(check.method, check.url, None)
        elif self._mapping.batch > 1:
            self._request(
                self._mapping.method, self._mapping.url, rendered(self._mapping.body, {"items": []})
            )
        else:
            self._request("OPTIONS", self._mapping.url.split("{", 1)[0], None)

    def send(self, items: list[Any], values: Mapping[str, Any]) -> Reply:
        """Send items; *values* are the attributes of the account where it is one; raise SinkError."""
        body = rendered(self._mapping.body, {"items": items, "item": items[0]})
        quoted = {name: quote(str(value), safe="") for name, value in values.items()}
        return self._request(self._mapping.method, str(rendered(self._mapping.url, quoted)), body)

    def close(self) -> None:
        """Free the event loop."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def _request(self, method: str, url: str, body: Any) -> Reply:
        fresh = self._mapping.session is not None and self._token is None
        if fresh:
            self._open_session()
        status, headers, raw = self._exchange(method, url, body, self._headers())
        if status == _UNAUTHORIZED and self._mapping.session is not None and not fresh:
            self._open_session()
            status, headers, raw = self._exchange(method, url, body, self._headers())
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            self._token = None
            raise SinkError(
                f"{self.host} answered {status}: {_excerpt(raw)}; correct the secret of {self._name}, or "
                "give it the rights",
                30.0,
            )
        if status in (_TOO_MANY, *self._mapping.retry_statuses) or status >= _SERVER:
            raise SinkError(
                f"{self.host} answered {status}",
                retry_after_seconds(headers.get("retry-after", ""), datetime.now(UTC)),
            )
        return Reply(status, _decoded(raw))

    def _headers(self) -> dict[str, str]:
        headers = rendered(self._mapping.headers, {**self.values, "token": self._token})
        return {name: str(value) for name, value in headers.items()}

    def _open_session(self) -> None:
        session = self._mapping.session
        assert session is not None
        form = rendered(session.form, self.values)
        status, _, raw = self._exchange("POST", session.url, form, {}, form=True)
        token = value_at(_decoded(raw), session.token)
        if status >= _SERVER or status == _TOO_MANY:
            raise SinkError(f"{self.host} answered {status} to the request for a session")
        if status >= 400 or not isinstance(token, str):
            raise SinkError(
                f"no session of {self.host}: {status}: {_excerpt(raw)}; correct secret and client_id of "
                f"{self._name}",
                30.0,
            )
        self._token = token

    def _exchange(
        self, method: str, url: str, body: Any, headers: dict[str, str], *, form: bool = False
    ) -> tuple[int, Mapping[str, str], bytes]:
        self._spend()
        if self._runner is None:
            self._runner = asyncio.Runner()
        if body is None:
            data: Any = None
        elif form or self._mapping.encoding == "form":
            data = {name: "" if value is None else str(value) for name, value in body.items()}
        else:
            data, headers = msgspec.json.encode(body), {"content-type": "application/json", **headers}
        try:
            return self._runner.run(self._exchanged(method, self._placed(url), data, headers))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkError(f"{self.host} doesn't answer: {type(error).__name__}") from error

    def _placed(self, url: str) -> str:
        """Return the URL at the scheme and host of the settings, where they name them."""
        base = self._settings.url
        return url if base is None else base + url[len("/".join(url.split("/", 3)[:3])) :]

    async def _exchanged(
        self, method: str, url: str, data: Any, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, url, data=data, headers=headers, allow_redirects=False) as response,
        ):
            raw = await response.content.read(_MOST_ANSWER_BYTES)
            return response.status, response.headers, raw

    def _spend(self) -> None:
        """Wait for the rate, and count the request; raise SinkError when the day's budget is used up."""
        if self.use.day != _today():
            self.use = DailyUse(_today(), 0)
        if self.use.requests >= self._mapping.daily_requests:
            now = datetime.now(UTC).timestamp()
            raise SinkError(
                f"{self.host}: the {self._mapping.daily_requests:,} requests of this UTC day are used up; "
                "what changes meanwhile follows tomorrow",
                (self.use.day + 1) * DAY / 1000 - now,
            )
        pause = self._next_at - time.monotonic()
        if pause > _LONGEST_RATE_WAIT_SECONDS:
            raise SinkError(f"{self.host}: the rate of its mapping allows no request now", pause)
        time.sleep(max(0.0, pause))
        self._next_at = time.monotonic() + 1 / self._mapping.requests_per_second
        self.use = DailyUse(self.use.day, self.use.requests + 1)


def _today() -> int:
    return int(datetime.now(UTC).timestamp() * 1000) // DAY


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None


def _excerpt(raw: bytes) -> str:
    return raw[:300].decode(errors="replace") or "nothing more"
