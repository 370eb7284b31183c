"""
HTTP requests of channels: every wait bounded, no redirects, no cookies, no requests into one's own network.

What an answer means is said in the port's errors.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

from schemas.retry_after import retry_after_seconds
from sinks.notify.port import GoneError, PermanentError, TemporaryError, UnknownOutcomeError

__all__ = ["Answer", "HttpEndpoint", "failure", "retry_after"]

_CONNECT_SECONDS = 5.0
_LONGEST_RETRY_AFTER_SECONDS = 3_600.0
"""A service that asks for more is tried again after an hour all the same."""
_MOST_ANSWER_BYTES = 65_536
_GONE = 410
_CONTENT_REFUSED = frozenset({400, 413, 415, 422})
"""Status codes about this very content; every other failure may pass once the service is repaired."""


class Answer(NamedTuple):
    """An answer of a service; ``body`` is its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the status says that the request was taken."""
        return 200 <= self.status < 300


class HttpEndpoint:
    """
    One address that is posted to.

    ``host`` is for messages: the rest of the URL may be a secret. Only public addresses are connected to,
    unless ``internal``.
    """

    def __init__(self, url: str, timeout_seconds: float, *, internal: bool) -> None:
        self.host = urlsplit(url).netloc
        self._url, self._timeout_seconds, self._internal = url, timeout_seconds, internal
        self._runner = asyncio.Runner()

    def options(self) -> Answer:
        """Connect and send an OPTIONS request, which by HTTP changes nothing; raise TemporaryError."""
        return self._runner.run(self._request("OPTIONS", {}, None))

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post JSON and return the answer; raise TemporaryError where there is none."""
        return self._runner.run(self._request("POST", {**headers, "content-type": "application/json"}, body))

    def post_json(self, content: object) -> Answer:
        """Post a value as JSON and return the good answer; raise as the port says."""
        answer = self.post(msgspec.json.encode(content), {})
        if not answer.good:
            raise failure(self.host, answer)
        return answer

    def close(self) -> None:
        """Free the event loop; a connection lasts for one request only."""
        self._runner.close()

    async def _request(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        connector = aiohttp.TCPConnector(
            force_close=True, socket_factory=None if self._internal else _public_socket
        )
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds, sock_connect=_CONNECT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.request(
                    method, self._url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return Answer(
                    response.status, response.headers, await response.content.read(_MOST_ANSWER_BYTES)
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TemporaryError(f"{self.host} can't be reached: {_why(error)}") from error
        except TimeoutError as error:
            raise UnknownOutcomeError(
                f"{self.host} didn't answer within {self._timeout_seconds:g} s"
            ) from error
        except aiohttp.ClientError as error:
            raise UnknownOutcomeError(f"{self.host} broke the connection: {_why(error)}") from error


def failure(host: str, answer: Answer) -> PermanentError | TemporaryError:
    """Return the port's error for an answer that is not good."""
    if answer.status == _GONE:
        return GoneError(f"{host} answered 410: it wants no more messages")
    if answer.status in _CONTENT_REFUSED:
        return PermanentError(f"{host} refused this notification: {answer.status}")
    return TemporaryError(
        f"{host} answered {answer.status}", retry_after(answer.headers.get("retry-after", ""))
    )


def retry_after(value: str) -> float | None:
    """Return the seconds that a Retry-After header asks for, an hour at most."""
    seconds = retry_after_seconds(value, datetime.now(UTC))
    return None if seconds is None else min(seconds, _LONGEST_RETRY_AFTER_SECONDS)


def _why(error: Exception) -> str:
    """Return an error of the connection in words without the path of the URL, which may be a secret."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error)
    return type(error).__name__ if isinstance(error, aiohttp.ClientResponseError) else str(error)


def _public_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """
    Return a socket for an address of the public Internet; raise OSError for any other.

    It is asked for the very address that is connected to, so no answer of DNS gets around it.
    """
    family, kind, protocol, _, place = address
    ip: Any = ipaddress.ip_address(place[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if not ip.is_global or ip.is_multicast:
        reason = f"{ip} is not a public address; set internal for a receiver in your own network"
        raise OSError(errno.EACCES, reason)
    return socket.socket(family, kind, protocol)
