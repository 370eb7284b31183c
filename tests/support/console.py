"""A console as a real process, and pages of it in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from bellbuoy.console.access.access import Access
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.settings import load
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.chromium import axe_script

WIDTHS = (1280, 390)
THEMES = ("light", "dark")
SECONDS = 60.0
"""Limit of a wait for the page; how soon it comes is not what is tested."""

expect.set_options(timeout=SECONDS * 1000)


class RunningConsole:
    """The process, and what a test asks of it."""

    def __init__(self, process: RoleProcess, data: Path) -> None:
        self.process, self._access = process, Access(data)

    @property
    def url(self) -> str:
        return self.process.url

    def link(self) -> str:
        return f"/sign-in?link={self._access.new_link()}"

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> HTTPResponse:
        """Return the answer to a request that no browser made, read to its end."""
        connection = HTTPConnection(self.process.host, self.process.port, timeout=SECONDS)
        connection.request(method, path, body, {name.replace("_", "-"): one for name, one in headers.items()})
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def cookie(self) -> str:
        """Return the cookie of a new session."""
        return (self.ask(self.link()).getheader("set-cookie") or "").partition(";")[0]

    def page(self, browser: Browser, theme: str = "light", width: int = 1280, **options: Any) -> Page:
        """Return a page that is signed in, in a context of its own; an error on it fails the test."""
        context: BrowserContext = browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 800},
            color_scheme=theme,  # type: ignore[arg-type]
            locale="en-GB",
            **options,
        )
        context.set_default_timeout(SECONDS * 1000)
        page = context.new_page()
        page.faults = faults = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if "Content Security Policy" in message.text or "Uncaught" in message.text
                else None
            ),
        )
        page.goto(self.link())
        return page


@contextmanager
def running_console(
    bootstrap: Connection, topics: Topics, redis_url: str, folder: Path, **console: Any
) -> Iterator[RunningConsole]:
    """Run a console of tenant demo on these topics and the keys under their prefix."""
    settings = load(
        kafka={"bootstrap": str(bootstrap), "topic_prefix": topics.prefix, "partitions": topics.partitions},
        redis={"url": redis_url, "prefix": topics.prefix},
        console={"port": 0, "tenants": ["demo"], "person": "Kim"} | console,
        data=folder,
        log_level="warning",
    )
    process = RoleProcess("console", settings, folder / "console.log").start()
    try:
        process.wait_ready()
        yield RunningConsole(process, folder)
    finally:
        process.stop()


def barriers(page: Page) -> list[str]:
    """Return what keeps people out of a page, by WCAG 2.2 AA as axe-core checks it."""
    page.evaluate(axe_script().read_text())
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
