"""Segment's own libraries, with only another host: each event arrives once, also over a kill -9."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2
import pytest

from bellbuoy.local.embedded.child import Child
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.genuine_clients import (
    Command,
    browser_client,
    go_client,
    java_client,
    node_client,
    python_client,
)
from tests.support.restarting_gateway import RestartingGateway
from tests.support.stored_events import stored_events
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]

COUNT, PAUSE_MS, PATIENCE_SECONDS = 400, 20, 300
EACH = {str(number) for number in range(COUNT)}


class Arrived:
    """The numbered tracks that are on the topic; a track sent again has the id it had at first."""

    def __init__(self, bootstrap: Connection, topics: Topics) -> None:
        self._bootstrap, self._topics = bootstrap, topics

    def __call__(self) -> dict[str, set[str]]:
        ids = defaultdict(set)
        for event in stored_events(self._bootstrap, self._topics, "usage.events"):
            ids[event.feature].add(event.event_id)
        return ids


def kill_in_the_middle(gateway: RestartingGateway, client: Child) -> None:
    """Kill the gateway once it has accepted a quarter; a client needs eight seconds for all, or longer."""
    quarter = COUNT // 4
    until(
        lambda: accepted(gateway) > quarter or not client.running, PATIENCE_SECONDS, "a quarter of the events"
    )
    assert client.running, client.tail()
    gateway.kill()


def accepted(gateway: RestartingGateway) -> int:
    metrics = httpx2.get(f"{gateway.url}/metrics").text
    return int(float(metrics.partition('bellbuoy_ingest_events_total{topic="usage.events"} ')[2].split()[0]))


@pytest.mark.parametrize("held", [True, False], ids=["socket held", "connections refused"])
@pytest.mark.parametrize("client", [go_client, java_client, node_client, python_client])
def test_a_server_library_loses_nothing_without_saying_so(
    client: Callable[[str, int, int], Command],
    held: bool,
    bootstrap: Connection,
    topics: Topics,
    tmp_path: Path,
) -> None:
    arrived = Arrived(bootstrap, topics)
    with RestartingGateway(bootstrap, topics, tmp_path, held=held) as gateway:
        gateway.process.wait_ready()
        log = tmp_path / "client.log"
        program = Child("client", client(gateway.url, COUNT, PAUSE_MS), log)
        try:
            kill_in_the_middle(gateway, program)
            until(lambda: not program.running, PATIENCE_SECONDS, "the end of the client")
        finally:
            program.kill()
    assert program.returncode == 0, log.read_text()
    given_up = {line.split()[-1] for line in log.read_text().splitlines() if line.startswith("given up ")}
    ids = arrived()
    assert EACH - set(ids) <= given_up
    assert not held or not given_up
    assert {len(same) for same in ids.values()} == {1}


@pytest.mark.parametrize("strategy", ["standard", "batching"])
def test_a_browser_loses_nothing(
    strategy: str, bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    """Connections are refused for a while, so that the library sends again with headers of its own."""
    arrived = Arrived(bootstrap, topics)
    with (
        RestartingGateway(bootstrap, topics, tmp_path, held=False) as gateway,
        browser_client(gateway.url, COUNT, PAUSE_MS, strategy, tmp_path / "profile") as (command, env),
    ):
        gateway.process.wait_ready()
        browser = opened(command, env, tmp_path)
        try:
            kill_in_the_middle(gateway, browser)
            until(lambda: set(arrived()) == EACH, PATIENCE_SECONDS, "every event of the page")
        finally:
            browser.kill()
    assert {len(same) for same in arrived().values()} == {1}


def opened(command: Command, env: Mapping[str, str], folder: Path) -> Child:
    return Child("browser", command, folder / "browser.log", env)
