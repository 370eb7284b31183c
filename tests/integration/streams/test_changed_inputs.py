"""Inputs that are not the log any more that the journal has read: made anew, cut, shortened, widened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bellbuoy.exit_codes import CONFIGURATION, LOG_CHANGED
from bellbuoy.local.embedded import Kafka
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.operations.kafka.ledger import applied_events
from bellbuoy.operations.kafka.topics import create_topics
from bellbuoy.times import now
from schemas.connection import Connection
from schemas.topics import Topics
from streams.kafka.log_reader import end_offsets
from tests.support.damaged_logs import add_partitions, cut_head, cut_tails, make_anew
from tests.support.input_producer import InputProducer, usage
from tests.support.recovering import recover
from tests.support.role_processes import RoleProcesses
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(800)]

ACCOUNTS = 20


@pytest.fixture
def roles(bootstrap: Connection, topics: Topics, tmp_path: Path) -> Iterator[RoleProcesses]:
    running = RoleProcesses(bootstrap, topics, tmp_path)
    yield running
    running.stop()


def send(bootstrap: Connection, topics: Topics, first: int, count: int) -> None:
    numbers, at = range(first, first + count), now()
    InputProducer(bootstrap, topics).send("usage.events", [usage(n, f"a{n % ACCOUNTS}", at) for n in numbers])


def applied(bootstrap: Connection, topics: Topics, events: int) -> None:
    until(lambda: applied_events(bootstrap, topics) >= events, what=f"{events} events applied")
    assert applied_events(bootstrap, topics) == events


def told(role: RoleProcess, kind: str) -> None:
    """Wait until a role is not ready for a reason of this kind, has logged it, and counts it."""
    until(lambda: f'"{kind}"' in role.log.read_text() or f"fault={kind}" in role.log.read_text(), what="log")
    assert "inputs: " in role.unready()


@pytest.mark.parametrize("running", [True, False])
def test_an_input_made_anew_is_read_from_its_beginning(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses, running: bool
) -> None:
    journal = roles.start("journal")
    roles.start("worker")
    send(bootstrap, topics, 0, 2_000)
    applied(bootstrap, topics, 2_000)
    if not running:
        journal.stop()
    make_anew(bootstrap, topics, topics.name("usage.events"))
    send(bootstrap, topics, 2_000, 2_100)
    if not running:
        journal.start()
    applied(bootstrap, topics, 4_100)
    told(journal, "made_anew")
    lines = journal.log.read_text().count("not found in cluster metadata")
    assert lines < 20, journal.log.read_text()


@pytest.mark.parametrize("running", [True, False])
def test_an_input_whose_head_is_gone_is_read_from_where_it_begins(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses, running: bool
) -> None:
    journal = roles.start("journal")
    roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    if running:
        journal.child.pause()
        time.sleep(2)  # the broker answers what the journal had asked for; it may read what came before that
    else:
        journal.stop()
    before = end_offsets(bootstrap, topics.name("usage.events"), range(4))
    send(bootstrap, topics, 200, 400)
    cuts = {p: end + 10 for p, end in before.items()}
    for partition, offset in cuts.items():
        cut_head(bootstrap, topics.name("usage.events"), partition, offset)
    if running:
        journal.child.resume()
    else:
        journal.start()
    applied(bootstrap, topics, 600 - 4 * 10)
    told(journal, "head_gone")


@pytest.mark.parametrize("running", [True, False])
def test_partitions_added_to_an_input_stop_the_journal(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses, running: bool
) -> None:
    journal = roles.start("journal")
    roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    if not running:
        journal.stop()
    add_partitions(bootstrap, topics.name("usage.events"), 8)
    if not running:
        journal.start()
    until(lambda: not journal.running, what="the journal's end")
    assert journal.child.returncode == LOG_CHANGED if running else CONFIGURATION
    assert "bellbuoy recover inputs" in journal.log.read_text()
    wide = Topics(prefix=topics.prefix, partitions=8)  # as a producer sees it that hashes keys itself
    send(bootstrap, wide, 200, 400)
    roles.stop()
    plan = recover(bootstrap, topics, "inputs")
    assert "400 unread" in plan["steps"][0]
    roles.start("journal")
    roles.start("worker")
    send(bootstrap, topics, 600, 100)
    applied(bootstrap, topics, 700)


@pytest.mark.parametrize("running", [True, False])
def test_what_follows_an_input_s_lost_tail_is_read(tmp_path: Path, running: bool) -> None:
    kafka, topics = Kafka(tmp_path / "kafka", port=free_port()), Topics("cut-", partitions=2)
    kafka.start()
    create_topics(kafka.connection, topics)
    roles = RoleProcesses(kafka.connection, topics, tmp_path)
    try:
        journal = roles.start("journal")
        worker = roles.start("worker")
        for first in range(0, 400, 20):
            send(kafka.connection, topics, first, 20)
        applied(kafka.connection, topics, 400)
        if running:
            journal.child.pause()
        else:
            journal.stop()
            worker.stop()
        name = topics.name("usage.events")
        ends = end_offsets(kafka.connection, name, range(2))
        cut_tails(kafka, {(name, p): end - 60 for p, end in ends.items()})
        left = end_offsets(kafka.connection, name, range(2))
        assert all(0 < left[p] <= end - 50 for p, end in ends.items()), (ends, left)
        send(kafka.connection, topics, 400, 500)
        if running:
            journal.child.resume()
        else:
            journal.start()
            worker.start()
        applied(kafka.connection, topics, 900)
        told(journal, "tail_gone")
    finally:
        roles.stop()
        kafka.stop()
