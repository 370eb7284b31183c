"""
Pictures of the console for the documentation: ``python -m examples.console_pictures`` draws docs/images anew.

A simulated company lives for some months; what is published of it is written to a Redis of the example's own,
with a few notes and tasks of its team, and Chromium shows the pages. ``--every FOLDER`` draws each of them in
both themes, at the width of a desk and of a phone, and whole, to be looked at after a change.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace
from playwright.sync_api import Browser, expect

from bellbuoy.local.embedded import Redis
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.simulator.world.accounts import make_accounts
from bellbuoy.times import now
from examples.sql_sessions import publish
from schemas.connection import Connection
from schemas.records import AccountHealth, Note, RiskAlert, Task
from schemas.times import DAY
from schemas.topics import Topics
from sinks.port import Output
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.chromium import browser
from tests.support.console import THEMES, WIDTHS, RunningConsole, running_console

__all__ = ["main"]

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_BATCH = 500
_PERSON = "Kim"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: its name, the page's path, theme, width, and height (0: the whole page)."""

    name: str
    path: str
    theme: str = "light"
    width: int = 1280
    height: int = 800


def main() -> None:
    """Draw the pictures of the documentation, or every page."""
    parser = argparse.ArgumentParser(prog="examples.console_pictures", description=__doc__)
    parser.add_argument("--accounts", type=int, default=120, help="customers of the company (%(default)s)")
    parser.add_argument("--days", type=int, default=110, help="days that it lives (%(default)s)")
    parser.add_argument(
        "--every", type=Path, metavar="FOLDER", help="draw every page into this folder instead"
    )
    chosen = parser.parse_args()
    outputs = list(_until_today(chosen.accounts, chosen.days))
    shown = _shown(outputs)
    tenant, account = shown.tenant, f"{quote(shown.tenant)}/{quote(shown.account_id)}"
    folder = chosen.every or _IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bellbuoy-") as name, ExitStack() as stack:
        redis = Redis(Path(name) / "redis", port=free_port())
        redis.start()
        stack.callback(redis.stop)
        topics = Topics()
        with closing(RedisSink(RedisSettings(url=redis.url, prefix=topics.prefix))) as sink:
            sink.open()
            for records in _batches([*outputs, *_worked_on(outputs, shown.account_id)]):
                sink.write(records)
        nowhere = Connection(f"127.0.0.1:{free_port()}")  # no page that is drawn needs Kafka
        console = stack.enter_context(
            running_console(nowhere, topics, redis.url, Path(name), person=_PERSON, tenants=[tenant])
        )
        chromium = stack.enter_context(browser())
        for shot in _every(tenant, account) if chosen.every else _of_the_docs(tenant, account):
            _draw(console, chromium, shot, folder)
            print(folder / f"{shot.name}.png", flush=True)


def _of_the_docs(tenant: str, account: str) -> list[Shot]:
    return [
        Shot("console-book", f"/book/{tenant}"),
        Shot("console-account", f"/accounts/{account}", height=1120),
        Shot("console-segments", f"/segments/{tenant}", "dark"),
        Shot("console-alerts-390", f"/alerts/{tenant}", "dark", 390, 844),
    ]


def _every(tenant: str, account: str) -> Iterator[Shot]:
    pages = {
        "book": f"/book/{tenant}",
        "payment-risk": f"/book/{tenant}?payment_risk=1&sort=payment_risk",
        "account": f"/accounts/{account}",
        "alerts": f"/alerts/{tenant}",
        "segments": f"/segments/{tenant}",
        "team": f"/team/{tenant}",
    }
    for name, path in pages.items():
        for theme in THEMES:
            for width in WIDTHS:
                yield Shot(f"{name}-{theme}-{width}", path, theme, width, 0)


def _draw(console: RunningConsole, chromium: Browser, shot: Shot, folder: Path) -> None:
    page = console.page(chromium, shot.theme, shot.width, reduced_motion="reduce")
    if shot.height:
        page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(shot.path)
    expect(page.locator("#status")).to_have_text("Live")
    if "/accounts/" in shot.path:
        expect(page.locator("#chart canvas")).to_be_visible()
    page.screenshot(path=folder / f"{shot.name}.png", full_page=not shot.height)
    page.context.close()


def _until_today(accounts: int, days: int) -> Iterator[Output]:
    """Yield what is published of a company that lives until today; its customers get names of companies."""
    outputs = publish(accounts, days, start=now() - days * DAY)
    named = (one.name for one in make_accounts(7, accounts))
    names = dict(zip(sorted(_newest(outputs)), named, strict=False))
    for one in outputs:
        if isinstance(one, AccountHealth | RiskAlert):
            yield replace(one, name=names.get(one.account_id))
        else:
            yield one


def _shown(outputs: Sequence[Output]) -> AccountHealth:
    """Return the account of the picture: with alerts and, if one has, a payment risk; of the most ARR."""
    newest = _newest(outputs)
    fit = [one for one in newest.values() if one.open_alerts and one.stage != "churned"]
    unpaid = [one for one in fit if one.involuntary_reasons]
    return max(unpaid or fit, key=lambda one: (one.arr_minor or 0, one.account_id))


def _worked_on(outputs: Sequence[Output], shown: str) -> Iterator[AccountHealth]:
    """Yield the newest health of some accounts again, with what their team wrote about them."""
    newest = _newest(outputs)
    at = max(one.as_of for one in newest.values())
    notes = [
        Note(
            note_id="n2", at=at - 2 * DAY, author="Ines Marrow",
            text="Their new CFO reviews every contract in May.\nBring the numbers of the pilot before that.",
        ),
        Note(note_id="n1", at=at - 12 * DAY, author=_PERSON, text="They hire again: 14 new seats likely."),
    ]  # fmt: skip
    tasks = [
        Task(task_id="k1", title="Find out who signs now", author=_PERSON, assignee=_PERSON, due_at=now()),
        Task(
            task_id="k2", title="Prepare the renewal: three options", author=_PERSON, due_at=now() + 9 * DAY
        ),
        Task(task_id="k3", title="Send the minutes", author=_PERSON, done_at=at - DAY, done_by=_PERSON),
    ]
    yield replace(newest[shown], notes=notes, tasks=tasks, as_of=at, sequence=newest[shown].sequence + 1)
    others = [one for one in newest.values() if one.account_id != shown and one.stage != "churned"]
    others.sort(key=lambda one: one.score)
    for days, title, one in zip(
        (-2, -1, 5), ("Ask for a new sponsor", "Agree on goals", "Call"), others, strict=False
    ):
        task = Task(
            task_id=f"t{days}", title=title, author=_PERSON, assignee=_PERSON, due_at=now() + days * DAY
        )
        yield replace(one, tasks=[task], as_of=at, sequence=one.sequence + 1)


def _newest(outputs: Sequence[Output]) -> dict[str, AccountHealth]:
    return {one.account_id: one for one in outputs if isinstance(one, AccountHealth)}


def _batches(outputs: Sequence[Output]) -> Iterator[Sequence[Output]]:
    for start in range(0, len(outputs), _BATCH):
        yield outputs[start : start + _BATCH]


if __name__ == "__main__":
    main()
