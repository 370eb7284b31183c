"""
Live updates of the console: from an event at the gateway to pixels, alone and beside open browsers' streams.

Everything runs on this machine as processes with their default settings. An event is a typed one that
schedules the end of a subscription, or takes that back; it is over when Chromium has painted the account's
new score. The other browsers are connections that read the same book's stream, each with a session of its
own.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import orjson
from playwright.sync_api import Page

from bellbuoy.console.access.access import Access
from bench.deployment import deployed
from bench.processes import MeasuredProcess, running_role
from tests.support.chromium import browser

__all__ = ["Pixels", "measure"]

_ACCOUNTS = 40
_WARM_UP = 3
_WAIT_MS = 120_000
_PAINTED = """async ([row, before]) => {
  const score = () => document.getElementById(row)?.querySelector('.score b')?.textContent
  const limit = Date.now() + 60000
  while (score() === before) {
    if (Date.now() > limit) throw new Error('no other score within a minute')
    await new Promise(requestAnimationFrame)
  }
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)))
  return Date.now()
}"""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Times from event to pixels, milliseconds, beside so many streams, and what the console took."""

    streams: int
    times: list[float]
    cores: float
    megabytes: float

    def __str__(self) -> str:
        ordered = sorted(self.times)
        median, longest = ordered[len(ordered) // 2], ordered[-1]
        times = f"p50 {median:,.0f} ms, longest {longest:,.0f} ms of {len(ordered)}"
        took = f"{self.cores:.2f} cores, {self.megabytes:,.0f} MB"
        return f"{self.streams:>3} other streams: event to pixels {times}; console {took}"


def measure(streams: list[int], events: int) -> Iterator[Pixels]:
    """Start everything, and yield the times beside each number of streams in turn."""
    with deployed() as deployment, ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bellbuoy-bench-")))
        port = deployment.redis.connection_pool.connection_kwargs["port"]
        areas: dict[str, Any] = {"redis": {"url": f"redis://127.0.0.1:{port}"}, "console": {"port": 0}}
        at = (deployment.connection, deployment.topics, folder)
        gateway = stack.enter_context(running_role("gateway", *at))
        console = stack.enter_context(running_role("console", *at, **areas))
        for number in range(_ACCOUNTS):
            _send(gateway, "account.profiles", number, name=f"Account {number}", owner="Kim")
            _send(gateway, "billing.events", number, kind="subscription_started", **_SUBSCRIPTION)
        page = stack.enter_context(browser()).new_page()
        page.goto(f"{console.url}/sign-in?link={Access(folder).new_link()}")
        page.goto(f"{console.url}/book/demo?sort=name")
        rows = f"document.querySelectorAll('[data-row]').length >= {_ACCOUNTS}"
        page.wait_for_function(rows, timeout=_WAIT_MS)
        canceled: set[int] = set()
        for number in streams:
            with _other_streams(console, folder, number):
                yield _measure(page, gateway, console, canceled, number, events)


def main() -> None:
    """Print the times beside each number of streams."""
    parser = argparse.ArgumentParser(prog="bench.console", description="Event at the gateway to pixels.")
    parser.add_argument("--streams", type=int, nargs="+", default=[0, 50], help="other browsers' streams")
    parser.add_argument("--events", type=int, default=30, help="events that are measured")
    chosen = parser.parse_args()
    for pixels in measure(chosen.streams, chosen.events):
        print(pixels, flush=True)


_SUBSCRIPTION = {"subscription_id": "s", "status": "active"}


def _measure(
    page: Page,
    gateway: MeasuredProcess,
    console: MeasuredProcess,
    canceled: set[int],
    streams: int,
    events: int,
) -> Pixels:
    times: list[float] = []
    began, spent = time.monotonic(), -console.cpu_seconds()
    for event in range(_WARM_UP + events):
        account = event % _ACCOUNTS
        row = f"row-a{account}"
        before = page.evaluate("id => document.getElementById(id).querySelector('.score b').textContent", row)
        kind = "cancel_withdrawn" if account in canceled else "cancel_scheduled"
        canceled ^= {account}
        sent_at = time.time() * 1000
        _send(gateway, "billing.events", account, kind=kind, **_SUBSCRIPTION)
        painted = page.evaluate(_PAINTED, [row, before])
        if event >= _WARM_UP:
            times.append(painted - sent_at)
    cores = (spent + console.cpu_seconds()) / (time.monotonic() - began)
    return Pixels(streams, times, cores, console.resident_bytes() / 1e6)


def _send(gateway: MeasuredProcess, topic: str, account: int, **event: object) -> None:
    connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)
    body = {"event_id": uuid.uuid4().hex, "account_id": f"a{account}", "source": "bench", **event}
    headers = {"Authorization": "Bearer demo-server-key", "Content-Type": "application/json"}
    connection.request("POST", f"/v1/events/{topic}", orjson.dumps(body), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"the gateway refused: {answer.read()!r}")
    connection.close()


@contextmanager
def _other_streams(console: MeasuredProcess, folder: Path, number: int) -> Iterator[None]:
    """Keep so many streams of the book open and read, until the block ends."""
    access, stop, opened = Access(folder), threading.Event(), threading.Semaphore(0)

    async def read(client: aiohttp.ClientSession) -> None:
        cookie = access.sign_in(access.new_link(), "Kim")
        headers = {"Cookie": f"bellbuoy_session={cookie}"}
        async with client.get(f"{console.url}/live/book/demo?sort=name", headers=headers) as answer:
            await answer.content.readany()
            opened.release()
            while not stop.is_set() and await answer.content.readany():
                pass

    async def run() -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            readers = [asyncio.create_task(read(client)) for _ in range(number)]
            await asyncio.to_thread(stop.wait)
            for reader in readers:
                reader.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="other-browsers")
    thread.start()
    try:
        for _ in range(number):
            opened.acquire()
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
