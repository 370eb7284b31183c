"""Requests to a running gateway: a source's sample, made fresh and signed, and the arrivals it tells of."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from bellbuoy.errors import ConfigError
from gateway.settings import GatewaySettings
from gateway.sources.registry import SOURCES
from gateway.sources.samples import Sample, load_samples
from gateway.sources.signatures import SignedRequest
from gateway.sources.source import Source, WebhookSource
from schemas.identity.write_keys import KeyScope

__all__ = ["SampleRequest", "UnreachableError", "choose", "prepare", "producers", "send", "watch"]

_SECONDS = 30


class UnreachableError(RuntimeError):
    """
    The gateway can't be reached.

    Operator action: start it (`bellbuoy up`, `bellbuoy gateway`), or name its address with --url.
    """


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A request that is ready to be sent."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def choose(source: str, sample: str | None) -> tuple[Source, Sample]:
    """Return a source and one of its samples by their names, the first without one; raise ConfigError."""
    sources = {each.name: each for each in SOURCES if _has_samples(each)}
    if source not in sources:
        raise ConfigError(f"no source {source!r} with samples: there are {', '.join(sources)}")
    samples = {each.name: each for each in load_samples(source).samples}
    if sample is not None and sample not in samples:
        raise ConfigError(f"{source} has no sample {sample!r}: there are {', '.join(samples)}")
    return sources[source], samples[sample] if sample else next(iter(samples.values()))


def prepare(
    source: Source,
    sample: Sample,
    settings: GatewaySettings,
    *,
    tenant: str,
    url: str,
    account: str,
    now: int,
) -> SampleRequest:
    """
    Return the request of a sample that happens ``now``, UTC milliseconds.

    Raises ConfigError for an unknown tenant, and for one without a secret or key.
    """
    if tenant not in settings.tenants:
        names = ", ".join(settings.tenants) or "none"
        raise ConfigError(f"no tenant {tenant!r} in gateway.tenants (there are: {names})")
    body, headers = sample.fresh(now, account)
    headers["content-type"] = headers.get("content-type", sample.media_type)
    if not isinstance(source, WebhookSource):
        scope: KeyScope = "server" if sample.scope == "server" else "track"
        key = _first(
            settings.keys()[scope][tenant], tenant, "server_keys" if scope == "server" else "write_keys"
        )
        body = body.replace(b'"demo-write-key"', orjson.dumps(key))  # PostHog's key stands in the body
        basic = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        return SampleRequest(url + sample.path, body, headers | {"authorization": basic})
    address = f"{url}{source.path}/{tenant}"
    secret = _first(settings.secrets(source)[tenant], tenant, source.secrets_key)
    # What is signed is the address that the gateway is known by.
    public = (settings.public_url or url).rstrip("/") + f"{source.path}/{tenant}"
    signed = source.signature_scheme().sign(secret, SignedRequest(public, body, headers), now)
    return SampleRequest(address, body, headers | signed)


def send(request: SampleRequest) -> tuple[int, str]:
    """Return the status and the text of the gateway's answer; raise UnreachableError."""
    return asyncio.run(_send(request))


async def _send(request: SampleRequest) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(request.url, data=request.body, headers=request.headers) as answer,
        ):
            return answer.status, await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreachableError(f"no gateway at {request.url}: {error or 'it does not answer'}") from error


def producers(url: str, key: str) -> list[dict[str, Any]]:
    """
    Return what a gateway knows of its producers, and its warnings.

    Raises UnreachableError when the gateway is away, PermissionError for a key that may not ask.
    """
    return asyncio.run(_producers(url, key))


async def _producers(url: str, key: str) -> list[dict[str, Any]]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(f"{url}/v1/drift") as answer,
        ):
            said = await answer.json()
            if answer.status != 200:
                raise PermissionError(f"the gateway answers {answer.status}: {said['message']}")
            found: list[dict[str, Any]] = said["producers"]
            return found
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreachableError(f"no gateway at {url}: {error or 'it does not answer'}") from error


def watch(url: str, key: str) -> Iterator[dict[str, Any]]:
    """
    Yield what arrives at a gateway as it happens.

    Raises UnreachableError when the gateway is away or ends, PermissionError for a key that may not watch.
    """
    with asyncio.Runner() as runner:
        arrivals = _arrivals(url, key)
        try:
            while True:
                arrival = runner.run(_next(arrivals))
                if arrival is None:
                    raise UnreachableError(f"the gateway at {url} ended the stream")
                yield arrival
        finally:
            runner.run(arrivals.aclose())


async def _next(arrivals: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any] | None:
    return await anext(arrivals, None)


async def _arrivals(url: str, key: str) -> AsyncGenerator[dict[str, Any], None]:
    timeout = aiohttp.ClientTimeout(total=None, connect=_SECONDS, sock_read=_SECONDS)
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(f"{url}/v1/arrivals") as answer,
        ):
            if answer.status != 200:
                said = (await answer.json())["message"]
                raise PermissionError(f"the gateway answers {answer.status}: {said}")
            async for line in answer.content:
                if line.strip():
                    yield orjson.loads(line)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreachableError(f"no gateway at {url}: {error or 'it does not answer'}") from error


def _first(secrets: list[str], tenant: str, field: str) -> str:
    if not secrets:
        raise ConfigError(
            f"gateway.tenants.{tenant}.{field} is empty: nothing could prove the sample, add one"
        )
    return secrets[0]


def _has_samples(source: Source) -> bool:
    try:
        load_samples(source.name)
    except OSError:
        return False
    return True
