"""
Times of the console: from an event at the gateway to pixels, beside open browsers' streams, and a large book.

Everything runs on this machine as processes with their default settings. An event is a typed one that
schedules the end of a subscription, or takes that back; it is over when Chromium has painted the account's
new score. The other browsers are connections that read the same book's stream, each with a session of its
own. The large book is written to Redis as delivery would; each of its loads is a browser's first.
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
from playwright.sync_api import Page, expect

from bellbuoy.console.access.access import Access
from bellbuoy.local.embedded import Redis
from bellbuoy.local.embedded.ports import free_port
from bench.processes.deployment import deployed
from bench.processes.roles import MeasuredProcess, running_role
from schemas.connection import Connection
from schemas.times import DAY
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.chromium import browser
from tests.support.output_records import alert, health

__all__ = ["LargeBook", "Pixels", "measure", "measure_book"]

_ACCOUNTS = 40
_WARM_UP = 3
_WAIT_MS = 120_000
_PAGE = 250
_FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
  const first = list.getEntriesByName('first-contentful-paint')[0]
  if (first) done(first.startTime)
}).observe({type: 'paint', buffered: true}))"""
_FILTER = """async owner => {
  const select = document.querySelector('[data-filters] [name=owner]'), began = performance.now()
  select.value = owner
  select.dispatchEvent(new Event('change', {bubbles: true}))
  const owners = () => [...document.querySelectorAll('[data-row] .owner')]
  const others = () => owners().some(one => !one.textContent.includes(owner))
  while (others()) await new Promise(requestAnimationFrame)
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)))
  return performance.now() - began
}"""
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
        took = f"{self.cores:.2f} cores, {self.megabytes:,.0f} MB"
        return f"{self.streams:>3} other streams: event to pixels {_in_words(self.times)}; console {took}"


@dataclass(frozen=True, slots=True)
class LargeBook:
    """
    Times of a book of so many accounts, milliseconds: to its first paint with rows, and from filter to rows.

    ``html`` and ``weight`` are the bytes of a first load over the wire, of the page and of all its files.
    """

    accounts: int
    paints: list[float]
    filters: list[float]
    html: int
    weight: int
    megabytes: float

    def __str__(self) -> str:
        return (
            f"{self.accounts:,} accounts: first paint {_in_words(self.paints)}; "
            f"filter {_in_words(self.filters)}; {self.html / 1000:,.0f} kB of HTML, "
            f"{self.weight / 1000:,.0f} kB with all files; console {self.megabytes:,.0f} MB"
        )


def _in_words(times: list[float]) -> str:
    ordered = sorted(times)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms of {len(ordered)}"


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
        expect(page.locator("[data-row]")).to_have_count(_ACCOUNTS, timeout=_WAIT_MS)
        canceled: set[int] = set()
        for number in streams:
            with _other_streams(console, folder, number):
                yield _measure(page, gateway, console, canceled, number, events)


def measure_book(accounts: int, loads: int) -> LargeBook:
    """Return the times of a large book in browsers that were never there before."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bellbuoy-bench-")))
        redis = Redis(folder / "redis", port=free_port())
        redis.start()
        stack.callback(redis.stop)
        _fill(redis.url, accounts)
        areas: dict[str, Any] = {"redis": {"url": redis.url}, "console": {"port": 0}}
        nowhere = Connection(f"127.0.0.1:{free_port()}")  # no page of a book needs Kafka
        console = stack.enter_context(running_role("console", nowhere, Topics(), folder, **areas))
        chromium, access = stack.enter_context(browser()), Access(folder)
        paints, filters, sizes = list[float](), list[float](), dict[str, int]()
        for load in range(_WARM_UP + loads):
            page = chromium.new_context().new_page()
            page.goto(f"{console.url}/sign-in?link={access.new_link()}&next=/livez")
            sizes = _sizes_of(page)
            page.goto(f"{console.url}/book/demo", wait_until="load")
            expect(page.locator("[data-row]")).not_to_have_count(0, timeout=_WAIT_MS)
            painted, filtered = page.evaluate(_FIRST_PAINT), page.evaluate(_FILTER, "ann")
            if load >= _WARM_UP:
                paints.append(painted)
                filters.append(filtered)
            page.context.close()
        return LargeBook(
            accounts, paints, filters, sizes["html"], sizes["all"], console.resident_bytes() / 1e6
        )


def _sizes_of(page: Page) -> dict[str, int]:
    """Return the bytes over the wire of what a page loads from now on, without its live stream."""
    sizes, kinds = {"html": 0, "all": 0}, dict[str, str]()
    network = page.context.new_cdp_session(page)
    network.on("Network.responseReceived", lambda told: kinds.update({told["requestId"]: told["type"]}))

    def finished(told: dict[str, Any]) -> None:
        kind, size = kinds.get(told["requestId"]), int(told["encodedDataLength"])
        if kind != "EventSource":
            sizes["all"] += size
            sizes["html"] += size if kind == "Document" else 0

    network.on("Network.loadingFinished", finished)
    network.send("Network.enable")
    return sizes


def _fill(redis_url: str, accounts: int) -> None:
    sink, at = RedisSink(RedisSettings(url=redis_url)), int(time.time() * 1000)
    sink.open()
    owners = ("ann", "ben", "kim")
    for start in range(0, accounts, _PAGE):
        numbers = range(start, min(accounts, start + _PAGE))
        sink.write(
            [
                health(
                    f"a{n}", sequence, float((n * 37 + sequence * 11) % 100), as_of=as_of, owner=owners[n % 3]
                )
                for sequence, as_of in enumerate((at - 9 * DAY, at - 3 * DAY, at - DAY, at), 1)
                for n in numbers
            ]
        )
    sink.write(
        [alert(f"x{n}", account_id=f"a{n}", opened_at=at, changed_at=at) for n in range(0, accounts, 17)]
    )
    sink.close()


def main() -> None:
    """Print the times beside each number of streams, and those of a large book."""
    parser = argparse.ArgumentParser(prog="bench.console", description="Event at the gateway to pixels.")
    parser.add_argument("--streams", type=int, nargs="*", default=[0, 50], help="other browsers' streams")
    parser.add_argument("--events", type=int, default=30, help="events that are measured")
    parser.add_argument("--accounts", type=int, default=5_000, help="accounts of the large book")
    parser.add_argument("--loads", type=int, default=20, help="browsers that load it one after the other")
    chosen = parser.parse_args()
    print(measure_book(chosen.accounts, chosen.loads), flush=True)
    if chosen.streams:
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
