"""The console's pages in a real browser: what they show, who may see them, who can use them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from bellbuoy.local.embedded.ports import free_port
from bellbuoy.times import now
from schemas.connection import Connection
from schemas.records import AccountHealth, Note, Override, RiskAlert, Task
from schemas.times import DAY
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.chromium import browser as run_browser
from tests.support.console import THEMES, WIDTHS, RunningConsole, barriers, running_console
from tests.support.output_records import alert, health, kpis

pytestmark = pytest.mark.services

EVIL = "<script>window.hurt=1</script><img src=x onerror='window.hurt=1'>\"'{{7*7}}"
EVIL_ID = "a/b?c#d%41 \"'<i>&amp;"
LIVE = (
    "/book/demo",
    "/alerts/demo",
    "/alerts/demo?view=all",
    "/accounts/demo/a1",
    "/segments/demo",
    "/team/demo",
)
REPORTS = ("/model/demo", "/producers/demo", "/pipeline/demo")
MOST_BYTES = 250_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with run_browser() as launched:
        yield launched


@pytest.fixture
def topics() -> Topics:
    """Names of keys of a test's own; there is no such Kafka, as no page needs it."""
    return Topics(prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=4)


@pytest.fixture
def sink(redis_url: str, topics: Topics) -> Iterator[RedisSink]:
    opened = RedisSink(RedisSettings(url=redis_url, prefix=topics.prefix))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def console(topics: Topics, redis_url: str, tmp_path: Path, sink: RedisSink) -> Iterator[RunningConsole]:
    sink.write(_accounts())
    with running_console(Connection(f"127.0.0.1:{free_port()}"), topics, redis_url, tmp_path) as running:
        yield running


def _health(number: int, score: float, at: int, sequence: int) -> AccountHealth:
    one = health(f"a{number}", sequence, score, as_of=at, owner=("Ann", "Ben")[number % 2])
    return replace(one, arr_minor=number * 100_000, segment=("smb", "enterprise")[number % 2])


def _alert(alert_id: str, **fields: object) -> RiskAlert:
    at = now() - DAY
    return alert(alert_id, **({"opened_at": at, "changed_at": at} | fields))


def _accounts() -> list[object]:
    at = now()
    past = [_health(n, 90.0, at - 20 * DAY, 1) for n in range(1, 61)]
    present = [_health(n, 95.0 - 1.5 * n, at - 1000, 2) for n in range(1, 61)]
    override = Override(target="usage.drop", value=80.0, reason="Holidays", author="ann", since=at - DAY)
    present[0] = replace(
        present[0],
        open_alerts=["c1"],
        overrides=[override],
        silent_sources=["usage.events"],
        involuntary_score=41.5,
        involuntary_reasons=["Two payments failed"],
        notes=[Note(note_id="n1", at=at - DAY, author="ann", text="They hire again")],
        tasks=[
            Task(task_id="k1", title="Call the sponsor", author="ann", due_at=at - 3 * DAY, assignee="Ben"),
            Task(task_id="k2", title="Send the plan", author="ann", done_at=at - DAY, done_by="ann"),
        ],
    )
    return [
        *past,
        *present,
        health("lost", 3, 0.0, band="unknown", as_of=at, name="Too Little Known"),
        replace(kpis("a1", {"billing.renewal": 30.0}), as_of=at),
        _alert("c1", account_id="a1", severity="critical", lane="renewal", subject="Pat"),
        _alert("w1", account_id="a2", acknowledged_by="Ben", acknowledged_at=at - DAY, note="I call"),
        _alert("n1", account_id="a3", severity="notice", snoozed_until=at + DAY),
    ]


def test_the_book_shows_who_needs_somebody_and_why(console: RunningConsole, chromium: Browser) -> None:
    page = console.page(chromium)
    expect(page.locator("#book > li").first).to_contain_text("A60 GmbH")
    first = page.locator("#book > li").first
    for words in ("5", "critical", "▼", "Active users fell by 40 %", "60k EUR", "Ann", "smb"):
        expect(first).to_contain_text(words)
    expect(page.locator("#totals")).to_contain_text("61")
    expect(page.locator("#status")).to_have_text("Live")

    page.get_by_label("Owner").select_option("Ben")
    expect(page).to_have_url(f"{console.url}/book/demo?owner=Ben")
    expect(page.locator("#book > li").first).to_contain_text("A59 GmbH")
    page.go_back()
    expect(page.get_by_label("Owner")).to_have_value("")
    expect(page.locator("#book > li").first).to_contain_text("A60 GmbH")
    page.go_forward()
    expect(page.get_by_label("Owner")).to_have_value("Ben")
    page.locator("[data-search]").fill("a17")
    expect(page.locator("#book > li")).to_have_count(1)
    page.reload()
    expect(page.locator("#book > li")).to_have_count(1)
    expect(page.get_by_label("Owner")).to_have_value("Ben")
    page.locator(".views summary").click()
    page.get_by_label("Name of this view").fill("Ben's 17")
    page.get_by_role("button", name="Save").click()
    page.goto("/book/demo")
    page.locator(".views summary").click()
    page.get_by_role("link", name="Ben's 17").click()
    expect(page.locator("#book > li")).to_have_count(1)
    page.locator(".views summary").click()
    page.get_by_role("button", name="Forget Ben's 17").click()
    expect(page.locator(".views li")).to_have_count(0)
    page.goto("/book/demo?q=nobody")
    expect(page.locator("#live")).to_contain_text("No account fits.")
    page.goto("/book/demo")
    page.get_by_role("checkbox", name="Payment risk").check()
    expect(page.locator("#book > li")).to_have_count(1)
    expect(page.locator("#book > li").first).to_contain_text("Payment risk 58.5 of 100")
    page.goto("/book/demo")
    page.locator("[data-more]").click()
    expect(page.locator("#book > li")).to_have_count(61)
    assert page.faults == []  # type: ignore[attr-defined]


def test_filters_are_folded_away_on_a_phone_with_and_without_scripts(
    console: RunningConsole, chromium: Browser
) -> None:
    for scripts in (True, False):
        page = console.page(chromium, width=390, java_script_enabled=scripts)
        page.goto("/book/demo?band=critical")
        opened = page.get_by_role("button", name="Filters")
        expect(opened).to_have_text("Filters1")
        expect(page.get_by_label("Owner")).to_be_hidden()
        assert (page.locator("#book").bounding_box() or {"y": 800})["y"] < 400
        opened.click()
        page.get_by_label("Owner").select_option("Ben")
        if not scripts:
            page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile("owner=Ben.*band=critical"))
        expect(page.locator("#book > li").first).to_contain_text("A59 GmbH")
        expect(opened).to_have_text("Filters2")
        if not scripts:
            opened.click()
        page.get_by_role("link", name="Clear filters").click()
        expect(page.locator("#book > li").first).to_contain_text("A60 GmbH")
        expect(page.get_by_label("Owner")).to_have_value("")
        page.context.close()


def test_an_account_shows_its_score_and_where_it_comes_from(
    console: RunningConsole, chromium: Browser, sink: RedisSink
) -> None:
    page = console.page(chromium)
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'language', {get: () => 'en-US@posix'})")
    page.goto("/accounts/demo/a1#alert-c1")
    for words in (
        "93.5",
        "Active users fell by 40 %",
        "Holidays",
        "usage.events",
        "in 30 d",
        "renewal",
        "Pat",
        "58.5 of 100",
        "Two payments failed",
    ):
        expect(page.locator("#main")).to_contain_text(words)
    expect(page.locator("#alert-c1")).to_be_in_viewport()
    expect(page.locator("#chart canvas")).to_be_visible()
    sink.write([replace(_accounts()[60], score=12.5, as_of=now(), sequence=9)])  # type: ignore[type-var]
    expect(page.locator("#account-head")).to_contain_text("12.5")
    for words in ("They hire again", "Call the sponsor", "was due 3 d ago", "Ben"):
        expect(page.locator(".work")).to_contain_text(words)
    for key, dialog in (("w", "#note"), ("d", "#task")):
        page.keyboard.press(key)
        expect(page.locator(dialog)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(dialog)).to_be_hidden()
    expect(page.locator("#chart canvas")).to_be_visible()
    page.goto("/accounts/demo/a1x")
    expect(page.locator("#main")).to_contain_text("Did you mean")
    assert page.faults == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_everybody_can_use_every_page(
    console: RunningConsole, chromium: Browser, theme: str, width: int
) -> None:
    page = console.page(chromium, theme, width, reduced_motion="reduce")
    for path in (*LIVE, *REPORTS):
        page.goto(path)
        _wait_shown(page)
        assert barriers(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
    page.goto("/book/demo")
    _wait_shown(page)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.goto("/alerts/demo")
    page.locator('[data-act="snoozed"]').first.click()
    expect(page.locator("#act")).to_be_visible()
    assert barriers(page) == []
    page.context.clear_cookies()
    page.goto("/book/demo")
    expect(page.locator("main")).to_contain_text("Sign in")
    assert barriers(page) == []
    assert 300 < (page.locator("main").bounding_box() or {"width": 0})["width"] < 500
    page.context.close()


def _wait_shown(page: Page) -> None:
    """Wait for a page's live part, or for its report, which says here that there is no Kafka."""
    if page.locator("#report").count():
        expect(page.locator("#report")).to_contain_text("This can't be read now.")
    else:
        expect(page.locator("#status")).to_have_text("Live")


def test_segments_and_the_team_are_summed_up_and_live(
    console: RunningConsole, chromium: Browser, sink: RedisSink
) -> None:
    page = console.page(chromium)
    page.goto("/segments/demo")
    expect(page.locator("#segments tbody tr")).to_have_count(2)
    expect(page.locator("#segments")).to_contain_text("enterprise")
    expect(page.locator("#live")).to_contain_text("Fell most")
    page.goto("/team/demo")
    row = page.locator("#team tr", has_text="Ben")
    expect(row).to_contain_text("30")
    sink.write([_alert("late", account_id="a5", owner="Ben", changed_at=now())])
    expect(page.locator("#team tr", has_text="Ben").locator("td").first).to_have_text("1")
    page.get_by_role("link", name="Ben").click()
    expect(page.locator("#book > li").first).to_contain_text("A59 GmbH")
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_page_weighs_little(console: RunningConsole, chromium: Browser) -> None:
    page = console.page(chromium)
    weight: list[int] = []
    page.on("response", lambda answer: weight.append(_size(answer)))
    for path in LIVE:
        weight.clear()
        page.goto(path)
        expect(page.locator("#status")).to_have_text("Live")
        assert 1_000 < sum(weight) < MOST_BYTES, path


def _size(answer: object) -> int:
    request = answer.request  # type: ignore[attr-defined]
    return 0 if "/live/" in request.url else len(answer.body())  # type: ignore[attr-defined]


def test_what_customers_write_is_text_and_nothing_else(
    console: RunningConsole, chromium: Browser, sink: RedisSink
) -> None:
    texts = {"name": EVIL, "owner": EVIL, "segment": EVIL, "stage": EVIL, "reasons": [EVIL], "label": EVIL}
    override = Override(target="score", value=1.0, reason=EVIL, author=EVIL, since=1)
    evil = health(EVIL_ID, 1, 10.0, **texts, as_of=now(), overrides=[override], open_alerts=["evil"])
    evil = replace(
        evil,
        measures=[replace(one, reason=EVIL, name=EVIL) for one in evil.measures],
        caps=[replace(one, reason=EVIL, name=EVIL) for one in evil.caps],
        silent_sources=[EVIL],
        involuntary_score=0.0,
        involuntary_reasons=[EVIL],
        parent_id=EVIL,
        notes=[Note(note_id=EVIL, at=1, author=EVIL, text=EVIL)],
        tasks=[Task(task_id=EVIL, title=EVIL, author=EVIL, due_at=1, assignee=EVIL)],
        currency="<b>",
        arr_minor=10**12,
    )
    said = _alert(
        "evil",
        account_id=EVIL_ID,
        **dict.fromkeys(("name", "owner", "title", "action", "note", "subject", "assignee"), EVIL),
        reasons=[EVIL],
        acknowledged_by=EVIL,
        acknowledged_at=1,
        lane=EVIL,
        segment=EVIL,
        severity=EVIL,
    )
    sink.write([evil, said])
    page = console.page(chromium)
    account = f"/accounts/demo/{quote(EVIL_ID, safe='')}"
    for path in (
        f"/book/demo?owner={quote(EVIL)}",
        "/alerts/demo?view=all",
        account,
        f"/book/demo?q={quote(EVIL)}",
    ):
        page.goto(path)
        expect(page.locator("#status")).to_have_text("Live")
        assert page.evaluate("window.hurt") is None, path
        assert page.locator("img, i").count() == 0, path
    page.goto("/book/demo")
    page.locator("#book a", has_text="<script>").first.click()
    expect(page.locator("h1")).to_have_text(EVIL)
    page.goto("/alerts/demo?view=all")
    page.locator("#alert-evil [data-act='snoozed']").click()
    expect(page.locator("#act-about")).to_contain_text("<script>")
    assert page.evaluate("window.hurt") is None
    assert page.faults == []  # type: ignore[attr-defined]


def test_keys_move_through_the_rows_and_act(console: RunningConsole, chromium: Browser) -> None:
    page = console.page(chromium)
    page.goto("/alerts/demo?view=all")
    expect(page.locator("#status")).to_have_text("Live")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#alert-w1")).to_have_class("alert warning at")
    for key, title in (("s", "Snooze"), ("g", "Give it to somebody"), ("x", "Dismiss"), ("r", "Resolve")):
        page.keyboard.press(key)
        expect(page.locator("#act-title")).to_have_text(title)
        expect(page.locator("#act-about")).to_contain_text("Acme GmbH")
        expect(page.locator("#act :focus")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#act")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}/accounts/demo/a1#alert-c1")


def test_nobody_gets_anything_without_a_session(console: RunningConsole) -> None:
    paths = (
        "/",
        "/book/demo",
        "/live/book/demo",
        "/alerts/demo",
        "/live/alerts/demo",
        "/accounts/demo/a1",
        "/live/accounts/demo/a1",
        "/segments/demo",
        "/live/segments/demo",
        "/team/demo",
        "/live/team/demo",
        "/reports/pipeline/demo",
        *REPORTS,
        "/then/demo/a1?at=1",
        "/why/demo/a1",
        "/nothing",
    )
    for path in paths:
        answer = console.ask(path)
        assert (answer.status, answer.getheader("location", "")[:14]) == (303, "/sign-in?next="), path
        assert console.ask(path, sec_fetch_mode="cors").status == 401, path
        assert console.ask(path, cookie="bellbuoy_session=forged").status == 303, path
        assert console.ask(path, "POST").status == 401, path
    link = console.link()
    assert console.ask(link).status == 303
    assert console.ask(link).status == 401, "a link signs in once"
    assert console.ask(console.link() + "&next=//evil.example").getheader("location") == "/"


def test_another_site_gets_nothing_done(console: RunningConsole) -> None:
    cookie = console.cookie()
    form = "kind=acknowledged&token="
    host = console.url.removeprefix("http://")

    def post(body: str = form, **headers: str) -> int:
        return console.ask("/alerts/demo/c1", "POST", body, cookie=cookie, **headers).status

    assert console.ask("/book/demo", cookie=cookie).status == 200
    assert post() == 403, "no token"
    assert post(form + "0" * 64) == 403, "another token"
    assert post(sec_fetch_site="cross-site") == 403
    assert post(origin="http://evil.example") == 403
    assert post(origin=f"http://{host}") == 403, "its own origin, still no token"
    assert console.ask("/book/demo", cookie=cookie, host="evil.example").status == 421
    assert console.ask("/book/other", cookie=cookie).status == 404
    assert console.ask("/accounts/other/a1", cookie=cookie).status == 404
    assert console.ask("/live/book/other", cookie=cookie).status == 404
    headers = console.ask("/book/demo", cookie=cookie).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_health_and_metrics_are_served(console: RunningConsole) -> None:
    cookie = console.cookie()
    console.ask("/book/demo", cookie=cookie)
    assert console.ask("/livez").status == 200
    assert console.ask("/readyz").status == 200
    assert 'bellbuoy_console_page_seconds_count{route="book"} 1.0' in console.ask("/metrics").text  # type: ignore[attr-defined]
