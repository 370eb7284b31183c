"""The poller against real Kafka: killed at any request, it passes nothing over and writes nothing twice."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.polling.cursors import StreamCursor, read_cursors
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.state.own import MUTED_UNTIL
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.times import DAY, HOUR, MINUTE, iso
from schemas.topics import Topics
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.forked_role import ForkedRole
from tests.support.http_receiver import answer, reset
from tests.support.role_processes import role_settings
from tests.support.vendor_apis import HubSpotApi, SalesforceApi
from tests.support.waiting import until

pytestmark = pytest.mark.services

COMPANIES = 250


@pytest.fixture
def hubspot() -> Iterator[HubSpotApi]:
    with HubSpotApi() as api:
        yield api


def poll_settings(bootstrap: Connection, topics: Topics, folder: Path, **pulls: Any) -> Settings:
    tenant = {name: {"every_seconds": 0.2, "timeout_seconds": 20, **said} for name, said in pulls.items()}
    poll = {"metrics_port": 0, "session_seconds": 6, "tenants": {"acme": tenant}}
    return role_settings(bootstrap, topics, folder, poll=poll)


def events(bootstrap: Connection, topics: Topics, topic: str) -> list[Any]:
    """Return the committed events of a topic."""
    decoder = codec(topic, committed())
    return [
        decoder.decode(m.value())
        for m in read_topic(bootstrap, topics.name(topic), topics.partitions)
        if m.value()
    ]


def profiles_of(bootstrap: Connection, topics: Topics) -> list[Any]:
    """Return the committed profiles, without those that mute an account."""
    return [each for each in events(bootstrap, topics, "account.profiles") if MUTED_UNTIL not in each.own]


def cursor_of(bootstrap: Connection, topics: Topics, stream: str) -> StreamCursor | None:
    return next((each for each in read_cursors(bootstrap, topics) if each.stream == stream), None)


def test_killed_at_any_request_it_passes_nothing_over_and_writes_nothing_twice(
    bootstrap: Connection, topics: Topics, tmp_path: Path, hubspot: HubSpotApi
) -> None:
    """Three pages of companies, most of them of one millisecond; the vendor fails in between, too."""
    at = now() - 10 * MINUTE
    for number in range(1, COMPANIES + 1):
        hubspot.put("companies", number, at if number > 20 else at - number, name=f"C{number}")
    hubspot.put("companies", 1, at, name="C1", places="many")  # becomes a dead letter
    said = {"token": "t0ken", "url": hubspot.base, "fields": {"seats": "places"}}
    settings = poll_settings(bootstrap, topics, tmp_path, hubspot_crm=said)
    killed = 0
    kill_at = iter((2, 4, 7))
    role = ForkedRole("poll", settings, tmp_path / "poll.log")
    gone = threading.Event()

    def companies_asked() -> int:
        return sum("companies/search" in path for path in hubspot.asked)

    try:
        for number in kill_at:
            gone.clear()

            def die(handler: Any, number: int = number) -> None:
                """Answer, and kill the poller before or while it commits what it got."""
                hubspot.answer(handler)
                if "companies/search" in handler.path and companies_asked() >= number:
                    role.kill()
                    gone.set()

            hubspot.otherwise = die
            hubspot.script.extend([reset, answer(500), answer(429, retry_after="0")])
            role.start()
            until(gone.is_set, what="the kill")
            killed += 1
        hubspot.otherwise = hubspot.answer
        role.start()
        until(
            lambda: (cursor := cursor_of(bootstrap, topics, "calls")) and cursor.polled_at
            and (cursor_of(bootstrap, topics, "companies") or cursor).items >= COMPANIES,
            what="the end of the first round",
        )  # fmt: skip
        hubspot.put("companies", 3, at + MINUTE, name="Renamed")
        until(
            lambda: any(e.name == "Renamed" for e in profiles_of(bootstrap, topics)),
            what="the change",
        )
        listed = listing(settings)
    finally:
        role.stop()
        sys.stdout.write((tmp_path / "poll.log").read_text())  # shown of a test that failed
    profiles = profiles_of(bootstrap, topics)
    assert killed == 3
    assert Counter(Counter(e.event_id for e in profiles).values()) == {1: COMPANIES}
    assert {int(e.account_id) for e in profiles} == set(range(2, COMPANIES + 1))
    everything = events(bootstrap, topics, "account.profiles")
    assert {e.account_id for e in everything if MUTED_UNTIL in e.own} == {e.account_id for e in profiles}
    (letter,) = read_dead_letters(bootstrap, topics, DeadLetterFilter())
    assert (letter.producer, letter.pointer, letter.topic) == (
        "hubspot_crm",
        "/fields/seats",
        "account.profiles",
    )
    companies = next(each for each in listed if each["stream"] == "companies")
    assert companies["items"] == COMPANIES + 1
    assert companies["polled_at"]
    assert companies["cursor"]["at"] == at + MINUTE


def listing(settings: Settings) -> list[Any]:
    """Return what ``bellbuoy sources list`` says of the streams that are polled."""
    from bellbuoy.local.environment import variables

    listed = CliRunner().invoke(app, ["sources", "list", "--json"], env=variables(settings))
    assert listed.exit_code == 0, listed.output
    return [each for each in json.loads(listed.stdout) if each.get("stream")]


def test_a_second_poller_takes_over_and_a_wrong_token_stops_no_other_source(
    bootstrap: Connection, topics: Topics, tmp_path: Path, hubspot: HubSpotApi
) -> None:
    with SalesforceApi() as sales:
        hubspot.token = "another"
        sales.put("Account", "a1", now() - 10 * MINUTE, Name="Acme")
        settings = poll_settings(
            bootstrap, topics, tmp_path,
            hubspot_crm={"token": "wrong", "url": hubspot.base},
            salesforce={"url": sales.base, "client_id": "app", "client_secret": "s"},
        )  # fmt: skip
        first, second = (ForkedRole("poll", settings, tmp_path / f"poll-{n}.log").start() for n in (1, 2))
        try:
            until(lambda: len(profiles_of(bootstrap, topics)) == 1, what="the account")
            until(lambda: "401" in first.unready() + second.unready(), what="the refusal in readiness")
            assert "t0ken" not in (tmp_path / "poll-1.log").read_text()
            first.kill()
            sales.put("Account", "a1", now() - 5 * MINUTE, Name="Acme Ltd")
            until(lambda: len(profiles_of(bootstrap, topics)) == 2, what="the take-over")
        finally:
            second.stop()
            first.kill()
            for log in tmp_path.glob("poll-*.log"):
                sys.stdout.write(log.read_text())  # shown of a test that failed
    profiles = profiles_of(bootstrap, topics)
    assert [msgspec.structs.asdict(e)["name"] for e in profiles] == ["Acme", "Acme Ltd"]


def test_history_alerts_nobody_and_what_comes_after_it_does(
    bootstrap: Connection, tmp_path: Path, hubspot: HubSpotApi
) -> None:
    """Two customers; the urgent ticket of one was open before the source was connected."""
    at = now()

    def urgent(company: int, changed_at: int) -> None:
        hubspot.companies[company] = company
        hubspot.put(
            "tickets", company, changed_at, createdate=iso(at - 5 * DAY), hs_pipeline_stage="2",
            hs_ticket_priority="URGENT",
        )  # fmt: skip

    for company in (1, 2):
        hubspot.put("companies", company, at - 6 * DAY, name=f"C{company}")
    urgent(1, at - 5 * DAY)
    with deployed(bootstrap, tmp_path) as deployment:
        said = {"token": "t0ken", "url": hubspot.base}
        settings = poll_settings(bootstrap, deployment.topics, tmp_path, hubspot_crm=said)
        role = ForkedRole("poll", settings, tmp_path / "poll.log").start()
        try:
            until(
                lambda: all(
                    (cursor := cursor_of(bootstrap, deployment.topics, stream)) and not cursor.history
                    for stream in ("companies", "tickets")
                ),
                what="the end of the first round",
            )
            deployment.tick(at)
            until(lambda: _muted(deployment) == {"1"}, what="the muted alert")
            assert _alerts(deployment) == []
            deployment.tick(now() + HOUR + MINUTE)  # the customers are not muted any more
            urgent(2, now())
            until(lambda: _alerts(deployment), what="the alert of a later change")
            assert _alerts(deployment) == [("2", "urgent_ticket", "opened")]
            assert _muted(deployment) == {"1"}
        finally:
            role.stop()
            sys.stdout.write((tmp_path / "poll.log").read_text())  # shown of a test that failed


def _muted(deployment: Deployment) -> set[str]:
    """Return the accounts with an alert that nobody is told of."""
    states = deployment.states().values()
    return {
        state["account_id"]
        for state in states
        if any(episode.severity and episode.muted for episode in state["episodes"].values())
    }


def _alerts(deployment: Deployment) -> list[tuple[str, str, str]]:
    told = events(deployment.bootstrap, deployment.topics, "risk.alerts")
    return [(each.account_id, each.rule, each.change) for each in told]
