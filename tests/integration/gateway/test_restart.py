"""A gateway that is restarted or killed refuses no connection, and a stop answers what is under way."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.operations.remap import remap, webhook_source
from bellbuoy.operations.roles import RoleError, run_role
from bellbuoy.settings import load
from bellbuoy.times import now
from gateway.sources.signatures import SignedRequest
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.restarting_gateway import RestartingGateway
from tests.support.role_processes import RoleProcesses, role_settings
from tests.support.stored_events import stored_events
from tests.support.waiting import until

pytestmark = pytest.mark.services

ZENDESK = webhook_source("zendesk")
HEADERS = {"Authorization": "Bearer demo-write-key"}


@pytest.fixture
def gateway(bootstrap: Connection, topics: Topics, tmp_path: Path) -> Iterator[RestartingGateway]:
    with RestartingGateway(bootstrap, topics, tmp_path) as gateway:
        yield gateway


class Sender(threading.Thread):
    """
    Sends one event after another, each on a connection of its own, until it is told to stop.

    ``failed`` counts connections that were lost while a request was under way; a connection that is refused
    ends the thread.
    """

    def __init__(self, gateway: RestartingGateway, name: str) -> None:
        super().__init__()
        self._address = gateway.address
        self._name = name
        self.stopping = threading.Event()
        self.accepted: list[str] = []
        self.failed = 0
        self.refused: ConnectionRefusedError | None = None

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            event = f"{self._name}-{number}"
            connection = HTTPConnection(*self._address, timeout=120)
            try:
                connection.request("POST", *self.request(event))
                if connection.getresponse().status == 200:
                    self.accepted.append(event)
                    number += 1
            except ConnectionRefusedError as error:
                self.refused = error
                return
            except (OSError, HTTPException):
                self.failed += 1
            finally:
                connection.close()

    def request(self, event: str) -> tuple[str, bytes, dict[str, str]]:
        """Return the path, the body and the headers of an event; of a repetition the same body."""
        call = {"messageId": event, "userId": "u", "event": "e", "context": {"groupId": "g"}}
        return "/v1/track", json.dumps(call).encode(), HEADERS


class Vendor(Sender):
    """A vendor that sends each webhook until it is accepted, signed anew each time."""

    def request(self, event: str) -> tuple[str, bytes, dict[str, str]]:
        ticket = {"id": event, "organization_id": "acme", "status": "OPEN", "subject": "Cannot log in"}
        webhook = {"id": event, "type": "zen:event-type:ticket.created", "detail": ticket, "event": {}}
        body, url = json.dumps(webhook).encode(), f"{ZENDESK.path}/demo"
        signed = SignedRequest(url, body)
        return url, body, ZENDESK.signature_scheme().sign(ZENDESK.demo_secret, signed, now())


def sent_through(gateway: RestartingGateway, *restarts: str, kind: type[Sender] = Sender) -> list[Sender]:
    """Send from three threads while the gateway is stopped or killed; return the senders."""
    senders = [kind(gateway, name) for name in "abc"]
    for sender in senders:
        sender.start()
    for restart in restarts:
        _await_progress(senders)
        getattr(gateway, restart)()
    _await_progress(senders)
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(120)
    return senders


def _await_progress(senders: list[Sender]) -> None:
    """Wait until each sender has had some more events accepted, or was refused."""
    goals = [len(sender.accepted) + 5 for sender in senders]
    until(lambda: all(len(s.accepted) >= n or s.refused for s, n in zip(senders, goals, strict=True)))


def test_a_stop_loses_no_request_and_refuses_no_connection(
    gateway: RestartingGateway, bootstrap: Connection, topics: Topics
) -> None:
    senders = sent_through(gateway, "stop", "stop")

    assert [(sender.refused, sender.failed) for sender in senders] == [(None, 0)] * 3
    stored = [event.event_id for event in stored_events(bootstrap, topics, "usage.events")]
    assert sorted(stored) == sorted(event for sender in senders for event in sender.accepted)


def test_a_kill_refuses_no_connection(
    gateway: RestartingGateway, bootstrap: Connection, topics: Topics
) -> None:
    senders = sent_through(gateway, "kill", "kill")

    assert [sender.refused for sender in senders] == [None] * 3
    stored = {event.event_id for event in stored_events(bootstrap, topics, "usage.events")}
    assert stored >= {event for sender in senders for event in sender.accepted}


def test_killed_among_webhooks_each_payload_is_kept_and_each_event_counts_once(
    gateway: RestartingGateway, bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    senders = sent_through(gateway, "kill", "kill", kind=Vendor)
    accepted = {event for sender in senders for event in sender.accepted}
    stored = [event.event_id for event in stored_events(bootstrap, topics, "support.events")]
    kept = [json.loads(each.body)["id"] for each in stored_events(bootstrap, topics, "raw.payloads")]
    assert set(stored) == set(kept) == accepted

    roles = RoleProcesses(bootstrap, topics, tmp_path)
    try:
        roles.start("journal")
        roles.start("worker")

        def counts() -> tuple[int, int]:
            positions = read_positions(bootstrap, topics).values()
            return sum(p.applied for p in positions), sum(p.duplicates for p in positions)

        until(lambda: sum(counts()) == len(stored), what="the ledger of all events")
        assert counts() == (len(set(stored)), len(stored) - len(set(stored)))
        report = remap(role_settings(bootstrap, topics, tmp_path), ZENDESK, since=0)
        assert (report.payloads, report.same, report.new, report.corrected, report.faults) == (
            (len(set(stored)),) * 2 + (0,) * 3
        )
        assert len(stored_events(bootstrap, topics, "support.events")) == len(stored)
    finally:
        roles.stop()


def test_connections_wait_while_there_is_no_gateway(gateway: RestartingGateway) -> None:
    gateway.process.wait_ready()
    gateway.process.kill()
    waiting = [gateway.connect() for _ in range(200)]
    for connection in waiting:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: gateway\r\n\r\n")
    gateway.process.start()
    assert {connection.recv(15) for connection in waiting} == {b"HTTP/1.1 200 OK"}
    for connection in waiting:
        connection.close()


def test_a_descriptor_that_does_not_listen_is_refused_in_words(bootstrap: Connection, topics: Topics) -> None:
    kafka = {"bootstrap": str(bootstrap), "topic_prefix": topics.prefix, "partitions": topics.partitions}
    with socket.socket() as deaf:
        for descriptor in (9_999, deaf.fileno()):
            settings = load(kafka=kafka, gateway={"listen_fd": descriptor})
            with pytest.raises(RoleError, match=f"gateway.listen_fd is {descriptor}.*no listening socket"):
                run_role("gateway", settings)
        deaf.detach()
