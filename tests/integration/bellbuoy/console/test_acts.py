"""Acts from the console through the whole pipeline, live between browsers, and while its servers are away."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, Page, expect

from bellbuoy.console.access.tokens import new_token
from bellbuoy.local.embedded import Kafka, Redis
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.operations.kafka.event_writing import write_event
from bellbuoy.operations.kafka.topics import create_topics
from bellbuoy.times import now
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.records import AccountOverride, AlertAction, SupportEvent
from schemas.times import DAY
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.changelog import read_topic
from tests.support.chromium import browser as run_browser
from tests.support.console import RunningConsole, running_console
from tests.support.output_records import alert, health
from tests.support.role_processes import role_settings
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with run_browser() as launched:
        yield launched


def _send(gateway: RoleProcess, topic: str, **event: object) -> None:
    """Send a typed event about account acme-inc to the gateway."""
    connection = HTTPConnection(gateway.host, gateway.port, timeout=60)
    body = {"event_id": uuid.uuid4().hex, "account_id": "acme-inc", "source": "test", **event}
    headers = {"Authorization": "Bearer demo-server-key", "Content-Type": "application/json"}
    connection.request("POST", f"/v1/events/{topic}", orjson.dumps(body), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


@pytest.mark.timeout(800)
def test_what_happens_shows_at_once_and_what_one_does_the_other_sees(
    bootstrap: Connection, topics: Topics, redis_url: str, tmp_path: Path, chromium: Browser
) -> None:
    made = new_token()
    token = {"sha256": made.sha256, "scopes": ["read", "act"], "tenants": ["demo"]}
    settings = role_settings(
        bootstrap,
        topics,
        tmp_path,
        redis={"url": redis_url, "prefix": topics.prefix},
        console={"port": 0, "person": "Kim", "tokens": {"crm": token}},
    )
    roles = {
        name: RoleProcess(name, settings, tmp_path / f"{name}.log").start()
        for name in ("gateway", "journal", "worker", "deliver", "console")
    }
    try:
        for role in roles.values():
            role.wait_ready(120)
        console = RunningConsole(roles["console"], tmp_path)
        kim, ines = console.page(chromium), console.page(chromium, "dark", 390)
        expect(kim.locator("#live")).to_contain_text("No account is scored yet.")
        ines.goto("/alerts/demo?view=all")

        profile = {"name": "Acme Inc", "owner": "Ines Marrow", "arr_minor": 5_000_000, "currency": "EUR"}
        _send(roles["gateway"], "account.profiles", **profile)
        expect(kim.locator("#book")).to_contain_text("Acme Inc")
        canceled = {"kind": "cancel_scheduled", "subscription_id": "s", "status": "active"}
        _send(roles["gateway"], "billing.events", **canceled)
        expect(kim.locator("#book")).to_contain_text("Cancellation scheduled")
        expect(ines.locator("#inbox")).to_contain_text("Cancellation scheduled")

        kim.goto("/alerts/demo?view=all")
        kim.get_by_role("button", name="Acknowledge").click()
        expect(kim.locator("#toasts")).to_contain_text("You are on it")
        for page in (kim, ines):
            expect(page.locator("#inbox")).to_contain_text("Kim is on it")
            expect(page.locator(".pending")).to_have_count(0)
        expect(ines.locator("#tabs")).to_contain_text("Taken 1")

        ines.get_by_role("link", name="Acme Inc").click()
        _set_override(ines)
        expect(ines.locator("#main")).to_contain_text("They look elsewhere")
        expect(ines.locator("#account-head .number")).to_have_text("12")
        ines.get_by_role("button", name="Withdraw").click()
        expect(ines.locator("#main .override-banner")).to_have_count(0)

        ines.get_by_role("button", name="In a day").click()
        expect(ines.locator("#changes")).to_contain_text("cancellation of s scheduled")
        ines.get_by_role("button", name="Show what made the score then").click()
        expect(ines.locator("#then .then-head")).to_be_visible()

        ines.get_by_label("From, UTC").fill("2026-01-01T00:00")
        ines.get_by_role("button", name="Why did it change?").click()
        expect(ines.locator("#changes .then-head")).to_contain_text("1 Jan 2026")
        _talk(ines)
        _work(ines, kim)

        _rename_a_field(roles["gateway"])
        write_event(settings, "support.events", _ticket_of_tomorrow())
        _correct(kim)
        _see_the_change(kim)
        _try_model(kim)
        kim.goto("/team/demo")
        expect(kim.locator("#main")).to_contain_text("How often each rule is right")
        expect(kim.locator("#main")).to_contain_text("Median time to acknowledge")

        alert_id = _ask(console, made.token, "/alerts")["alerts"][0]["alert_id"]
        act = _ask(
            console, made.token, f"/alerts/{alert_id}/acts", {"kind": "reviewed", "feedback": "useful"}
        )
        assert act["author"] == "token:crm"
        task = _ask(console, made.token, "/accounts/acme-inc/tasks", {"title": "Renew", "assignee": "Bo"})

        def listed() -> bool:
            return [
                one["task"]["task_id"] for one in _ask(console, made.token, "/tasks?assignee=bo")["tasks"]
            ] == [task["task_id"]]

        until(listed, what="the task of the API")

        kim.goto("/alerts/demo?view=all")
        ines.locator('[data-act="dismissed"]').first.click()
        ines.get_by_label("Noise").check()
        ines.locator("#act").get_by_label("Note").fill("Known since June")
        ines.locator("#act [data-submit]").click()
        expect(ines.locator("#act")).to_be_hidden()
        expect(kim.locator("#live")).to_contain_text("No alert fits.")

        for path, words in (
            ("/pipeline/demo", ("Event to page", "account.health", "redis")),
            ("/model/demo", ("It comes with Bellbuoy",)),
        ):
            kim.goto(path)
            for said in words:
                expect(kim.locator("#report")).to_contain_text(said)
    finally:
        for role in roles.values():
            role.kill()
    actions = _written(bootstrap, topics, "alert.actions")
    assert [(one.kind, one.author) for one in actions] == [
        ("acknowledged", "Kim"),
        ("noted", "Kim"),
        ("task_set", "Kim"),
        ("task_done", "Kim"),
        ("reviewed", "token:crm"),
        ("task_set", "token:crm"),
        ("dismissed", "Kim"),
    ]
    assert (actions[-1].note, actions[-1].feedback) == ("Known since June", "noise")
    overrides = _written(bootstrap, topics, "account.overrides")
    assert [(one.value, one.author) for one in overrides] == [(12.0, "Kim"), (None, "Kim")]
    assert overrides[0].expires_at is not None


def _work(page: Page, other: Page) -> None:
    """Write a note and a task, see both at once, and have the task done where somebody else sees it."""
    page.keyboard.press("w")
    page.locator("#note textarea").fill("They <b>hire</b>\nagain")
    page.locator("#note").get_by_role("button", name="Write").click()
    expect(page.locator(".notes")).to_contain_text("They <b>hire</b>")
    page.keyboard.press("d")
    page.locator("#task").get_by_label("What is to be done").fill("Call the sponsor")
    page.locator("#task").get_by_label("Due").fill("2020-01-31")
    page.locator("#task").get_by_role("button", name="Add").click()
    expect(page.locator(".tasks")).to_contain_text("Call the sponsor")
    other.goto("/book/demo?owner=Ines+Marrow")
    expect(other.locator("#my-tasks")).to_contain_text("Call the sponsor")
    expect(other.locator("#my-tasks .due.late")).to_be_visible()
    other.get_by_role("button", name="Done: Call the sponsor").click()
    expect(other.locator("#my-tasks")).to_have_count(0)
    expect(page.locator(".tasks li.done")).to_contain_text("done by Kim")
    page.get_by_role("button", name="Show it, and mark it on the chart").click()
    for words in ("note by Kim: They <b>hire</b>", "task done by Kim: Call the sponsor"):
        expect(page.locator("#timeline .timeline")).to_contain_text(words)


def _talk(page: Page) -> None:
    """Log a meeting, and see it among everything that happened."""
    form = page.locator(".touchpoint form")
    form.get_by_label("How").select_option("Meeting")
    form.get_by_label("About what").fill("Their budget")
    form.get_by_role("button", name="Log it").click()
    expect(page.locator("#toasts")).to_contain_text("Meeting logged")

    def shown() -> bool:
        page.get_by_role("button", name="Show it, and mark it on the chart").click()
        expect(page.locator("#timeline .timeline")).to_contain_text("cancellation of s scheduled")
        return "meeting: Their budget (Kim)" in page.locator("#timeline").inner_text()

    until(shown, what="the meeting")


def _ticket_of_tomorrow() -> SupportEvent:
    at = now()
    return SupportEvent(
        event_id="t1", tenant="demo", account_id="acme-inc", source="test", occurred_at=at + DAY,
        received_at=at, ticket_id="t1", kind="opened",
    )  # fmt: skip


def _rename_a_field(gateway: RoleProcess) -> None:
    """Send calls of another account as a tracking library does, and give a property another name."""
    connection = HTTPConnection(gateway.host, gateway.port, timeout=60)
    headers = {"Authorization": "Basic ZGVtby13cml0ZS1rZXk6", "Content-Type": "application/json"}
    for name in (*["plan"] * 4, *["plan_name"] * 2):
        call = {"type": "track", "userId": "u", "event": "Exported", "context": {"groupId": "other"}}
        batch = [call | {"messageId": uuid.uuid4().hex, "properties": {name: "pro"}} for _ in range(10)]
        connection.request("POST", "/v1/batch", orjson.dumps({"batch": batch}), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()


def _see_the_change(page: Page) -> None:
    """See on the producers' page what they send, and that a field has another name."""

    def shown() -> bool:
        page.goto("/producers/demo")
        expect(page.locator("#report")).to_contain_text("dead letter")
        return page.locator(".warnings").count() > 0

    until(shown, what="the warning")
    for words in ("A field has another name in Exported", "/properties/plan_name came instead", "segment"):
        expect(page.locator(".warnings")).to_contain_text(words)
    expect(page.locator("#producers tr", has_text="Exported")).to_contain_text("1 open")


def _correct(page: Page) -> None:
    """Repair the dead letter of a ticket that was opened tomorrow, and see none left."""

    def arrived() -> bool:
        page.goto("/producers/demo")
        expect(page.locator("#report")).to_contain_text("dead letter")
        return page.locator(".letters").count() > 0

    until(arrived, what="the dead letter")
    page.get_by_role("button", name="Repair").first.click()
    expect(page.locator(".flaws")).to_contain_text("/occurred_at")
    record = page.get_by_label("The record, as JSON")
    record.fill(orjson.dumps(orjson.loads(record.input_value()) | {"occurred_at": now()}).decode())
    page.get_by_role("button", name="Repair and send again").click()
    expect(page.locator("#toasts")).to_contain_text("Sent again")
    expect(page.locator("#report")).to_contain_text("No dead letter is open.")


def _try_model(page: Page) -> None:
    """Hold the model in force against the journal, under which nothing is different."""
    page.goto("/model/demo")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#trial")).to_contain_text("No account would be in another band")


def _ask(console: RunningConsole, token: str, path: str, body: object = None) -> dict[str, Any]:
    answer = console.ask(
        f"/api/v1/tenants/demo{path}",
        "GET" if body is None else "POST",
        "" if body is None else orjson.dumps(body).decode(),
        authorization=f"Bearer {token}",
        content_type="application/json",
    )
    answered: dict[str, Any] = orjson.loads(answer.text)  # type: ignore[attr-defined]
    return answered


def _set_override(page: Page) -> None:
    form = page.locator(".override form")
    form.get_by_label("Score, 0 to 100").fill("12")
    form.get_by_label("Why").fill("They look elsewhere")
    form.get_by_role("button", name="Set").click()
    expect(page.locator("#toasts")).to_contain_text("score set to 12")


def _written(bootstrap: Connection, topics: Topics, topic: str) -> list[AlertAction | AccountOverride]:
    decode = codec(topic).decode
    records = read_topic(bootstrap, topics.name(topic), topics.partitions)
    return sorted((decode(one.value()) for one in records), key=lambda one: one.occurred_at)


@pytest.mark.timeout(800)
def test_servers_that_die_and_return_under_a_page(tmp_path: Path, chromium: Browser) -> None:
    redis, kafka = Redis(tmp_path / "redis", port=free_port()), Kafka(tmp_path / "kafka", port=free_port())
    topics = Topics(prefix="t-", partitions=1)
    redis.start()
    try:
        _write(redis, health("acme", 1, 20.0, as_of=now()), alert("a1", opened_at=now()))
        with running_console(kafka.connection, topics, redis.url, tmp_path) as console:
            page, book = console.page(chromium), console.page(chromium)
            expect(book.locator("#book")).to_contain_text("Acme GmbH")

            page.goto("/alerts/demo")
            page.get_by_role("button", name="Acknowledge").click()
            expect(page.locator("#toasts")).to_contain_text("Nothing is known to be recorded")
            expect(page.locator("#inbox")).not_to_contain_text("is on it")
            expect(page.locator(".pending")).to_have_count(0)
            kafka.start()
            create_topics(kafka.connection, topics)
            page.get_by_role("button", name="Try again").click()
            expect(page.locator("#toasts")).to_contain_text("You are on it")
            expect(page.locator(".pending")).to_contain_text("being taken by Kim")
            until(lambda: _written(kafka.connection, topics, "alert.actions"), what="the act")

            redis.stop()
            expect(book.locator("#stale")).to_be_visible()
            expect(book.locator("#status")).to_have_text("Not live")
            expect(book.locator("#book")).to_contain_text("Acme GmbH")
            book.reload()
            expect(book.locator("#book")).to_contain_text("Acme GmbH")
            redis.start()
            expect(book.locator("#stale")).to_be_hidden()
            _write(redis, health("late", 2, 30.0, as_of=now()))
            expect(book.locator("#book")).to_contain_text("Late GmbH")

            console.process.kill()
            expect(book.locator("#status")).to_have_text("Reconnecting…")
            page.locator('[data-act="acknowledged"]').click()
            expect(page.locator("#toasts")).to_contain_text("the console doesn't answer")
            console.process.start()
            expect(book.locator("#status")).to_have_text("Live")
    finally:
        redis.stop()
        if kafka.started:
            kafka.stop()


def _write(redis: Redis, *records: object) -> None:
    sink = RedisSink(RedisSettings(url=redis.url, prefix="t-"))
    sink.open()
    sink.write(records)
    sink.close()
