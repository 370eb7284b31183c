"""Journal, changelog and outputs that are not the logs any more that the states came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from bellbuoy.exit_codes import CONFIGURATION, LOG_CHANGED
from bellbuoy.local.embedded import Kafka
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.operations.kafka.ledger import applied_events
from bellbuoy.operations.kafka.topics import create_topics, topic_partitions
from bellbuoy.times import now
from processors.state.position import POSITION_KEY, decode_position
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.identity.keys import account_key
from schemas.topics import Topics
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import end_offsets, last_record, read_to_end
from streams.worker.logs import StateLogs
from tests.support.damaged_logs import add_partitions, create_again, cut_head, cut_tails, delete, make_anew
from tests.support.delivery import publish
from tests.support.fold_partitions import link
from tests.support.input_producer import InputProducer, usage
from tests.support.output_records import alert
from tests.support.recovering import log_faults_found, recover
from tests.support.role_processes import RoleProcesses
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(800)]


@pytest.fixture
def roles(bootstrap: Connection, topics: Topics, tmp_path: Path) -> Iterator[RoleProcesses]:
    running = RoleProcesses(bootstrap, topics, tmp_path)
    yield running
    running.stop()


def send(bootstrap: Connection, topics: Topics, first: int, count: int) -> None:
    numbers, at = range(first, first + count), now()
    InputProducer(bootstrap, topics).send("usage.events", [usage(n, f"a{n % 20}", at) for n in numbers])


def applied(bootstrap: Connection, topics: Topics, events: int) -> None:
    until(lambda: applied_events(bootstrap, topics) >= events, what=f"{events} events applied")
    assert applied_events(bootstrap, topics) == events


def stopped(role: RoleProcess, area: str) -> None:
    """Wait until a role has ended with the exit code and the command that mends it."""
    until(lambda: not role.running, what=f"the end of the {role.role}")
    assert role.child.returncode in (LOG_CHANGED, CONFIGURATION), role.log.read_text()
    assert f"bellbuoy recover {area}" in role.log.read_text()


@pytest.mark.parametrize("running", [True, False])
def test_a_journal_cut_beyond_the_position_stops_the_worker(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses, running: bool
) -> None:
    journal, worker = roles.start("journal"), roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    if running:
        worker.child.pause()
    else:
        worker.stop()
    name = topics.name("account.journal")
    before = end_offsets(bootstrap, name, range(4))
    send(bootstrap, topics, 200, 200)
    until(lambda: all(end > before[p] + 8 for p, end in end_offsets(bootstrap, name, range(4)).items()))
    for partition, end in before.items():
        cut_head(bootstrap, name, partition, end + 6)
    if running:
        worker.child.resume()
    else:
        worker.start()
    stopped(worker, "journal")
    assert journal.running
    journal.stop()
    plan = recover(bootstrap, topics, "journal")
    assert all("history" in loss for loss in plan["losses"])
    journal.start()
    worker.start()
    send(bootstrap, topics, 400, 100)
    applied(bootstrap, topics, 500)


def test_the_check_finds_nothing_while_all_is_well(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    roles.start("journal")
    roles.start("worker")
    for n in range(5):
        send(bootstrap, topics, 100 * n, 100)
        assert log_faults_found(bootstrap, topics) == []
    applied(bootstrap, topics, 500)
    assert log_faults_found(bootstrap, topics) == []


def test_dead_letters_made_anew_or_widened_stop_nothing_that_runs(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    journal, worker = roles.start("journal"), roles.start("worker")
    name, sent = topics.name("events.deadletter"), 0
    for damage in (anew, widened):
        for harm in (None, damage):
            if harm is not None:
                harm(bootstrap, topics, name)
            send(bootstrap, topics, sent, 100)
            sent += 100
            applied(bootstrap, topics, sent)
        journal.stop()
        journal.start()
    stopped(journal, "outputs")
    assert worker.running


def test_a_journal_cut_up_to_the_position_changes_nothing(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    journal, worker = roles.start("journal"), roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    journal.stop()
    worker.stop()
    for partition in range(4):
        cut_head(bootstrap, topics.name("account.journal"), partition, -1)
    send(bootstrap, topics, 200, 200)
    worker.start()
    worker.wait_ready()
    assert worker.running


def anew(bootstrap: Connection, topics: Topics, name: str) -> None:
    make_anew(bootstrap, topics, name)


def widened(bootstrap: Connection, topics: Topics, name: str) -> None:
    add_partitions(bootstrap, name, 8)


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("damage", [anew, widened])
@pytest.mark.parametrize("area", ["journal", "changelog"])
def test_a_journal_or_changelog_made_anew_or_widened_stops_the_roles(
    bootstrap: Connection,
    topics: Topics,
    roles: RoleProcesses,
    area: str,
    damage: Callable[[Connection, Topics, str], None],
    running: bool,
) -> None:
    journal, worker = roles.start("journal"), roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    name = topics.changelog if area == "changelog" else topics.name("account.journal")
    if not running:
        journal.stop()
        worker.stop()
    damage(bootstrap, topics, name)
    if not running:
        journal.start()
        worker.start()
    stopped(worker, area)
    if area == "journal":
        until(lambda: not journal.running, what="the journal's end")
    journal.stop()
    recover(bootstrap, topics, area)
    recovered_at = len(worker.log.read_text())
    send(bootstrap, topics, 200, 100)
    journal.start()
    worker.start()
    applied(bootstrap, topics, 300)
    assert "Journal read again" not in worker.log.read_text()[recovered_at:]


def test_a_worker_that_writes_while_the_changelog_is_deleted_stops_with_the_reason(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    roles.start("journal")
    worker = roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    delete(bootstrap, topics.changelog)
    send(bootstrap, topics, 200, 100)
    stopped(worker, "changelog")


def test_a_journal_that_has_a_dead_letter_and_no_topic_for_it_stops_with_the_reason(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses
) -> None:
    journal = roles.start("journal")
    roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    delete(bootstrap, topics.name("events.deadletter"))
    producer = InputProducer(bootstrap, topics)
    producer.raw("billing.events", b"no record", account_key("acme", "a1"))
    producer.flush()
    until(lambda: not journal.running, what="the journal's end")
    assert journal.child.returncode == LOG_CHANGED
    assert "events.deadletter is gone: run `bellbuoy topics create`" in journal.log.read_text()


@pytest.mark.parametrize("topic", ["account.health", "account.transfers"])
def test_a_worker_that_writes_to_a_topic_that_is_deleted_waits_for_it(
    bootstrap: Connection, topics: Topics, roles: RoleProcesses, topic: str
) -> None:
    roles.start("journal")
    worker = roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    delete(bootstrap, topics.name(topic))
    links = [link(f"a{n}", "a0", now()) for n in range(1, 8)]  # some of them are in other partitions
    InputProducer(bootstrap, topics).send("account.links", links)
    until(lambda: "Folding waits" in worker.log.read_text(), what="the reason")
    create_again(bootstrap, topics, topics.name(topic))
    send(bootstrap, topics, 200, 100)
    until(lambda: applied_events(bootstrap, topics) >= 307, what="all events applied")
    assert applied_events(bootstrap, topics) == 307
    assert worker.running
    if topic == "account.health":
        until(lambda: "bellbuoy recover outputs" in worker.unready(), what="the reason")
    else:
        worker.wait_ready()


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("area", ["journal", "changelog"])
def test_a_journal_or_changelog_that_lost_its_tail_stops_the_roles(
    tmp_path: Path, area: str, running: bool
) -> None:
    kafka, topics = Kafka(tmp_path / "kafka", port=free_port()), Topics("cut-", partitions=2)
    kafka.start()
    create_topics(kafka.connection, topics)
    roles = RoleProcesses(kafka.connection, topics, tmp_path)
    try:
        journal, worker = roles.start("journal"), roles.start("worker")
        for first in range(0, 400, 20):
            send(kafka.connection, topics, first, 20)
        applied(kafka.connection, topics, 400)
        for role in (journal, worker):
            if running:
                role.child.pause()
            else:
                role.stop()
        name = topics.changelog if area == "changelog" else topics.name("account.journal")
        ends = end_offsets(kafka.connection, name, range(2))
        cut_tails(kafka, {(name, p): end - 20 for p, end in ends.items()})
        for role in (journal, worker):
            if running:
                role.child.resume()
            else:
                role.start()
        stopped(worker, area)
        if area == "journal":
            stopped(journal, area)
        journal.stop()
        recover(kafka.connection, topics, area)
        send(kafka.connection, topics, 400, 100)
        journal.start()
        worker.start()
        applied(kafka.connection, topics, 500)
    finally:
        roles.stop()
        kafka.stop()


def published(bootstrap: Connection, topics: Topics) -> set[bytes | None]:
    """Return the keys of the accounts in account.health."""
    parts = [TopicPartition(topics.name("account.health"), p, 0) for p in range(topics.partitions)]
    return {record.key for record in read_to_end(bootstrap, parts)}


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("damage", [anew, widened])
def test_outputs_made_anew_or_widened_are_published_again(
    bootstrap: Connection,
    topics: Topics,
    roles: RoleProcesses,
    damage: Callable[[Connection, Topics, str], None],
    running: bool,
) -> None:
    journal, worker = roles.start("journal"), roles.start("worker")
    send(bootstrap, topics, 0, 200)
    applied(bootstrap, topics, 200)
    until(lambda: len(published(bootstrap, topics)) == 20, what="the scores")
    if not running:
        journal.stop()
        worker.stop()
    damage(bootstrap, topics, topics.name("account.health"))
    if not running:
        journal.start()
        worker.start()
    if damage is widened and not running:
        stopped(worker, "outputs")
    else:
        until(lambda: "bellbuoy recover outputs" in worker.unready(), what="the reason")
        send(bootstrap, topics, 200, 100)
        applied(bootstrap, topics, 300)
    journal.stop()
    worker.stop()
    recover(bootstrap, topics, "outputs")
    assert topic_partitions(bootstrap)[topics.name("account.health")] == topics.partitions
    before = applied_events(bootstrap, topics)
    assert before == 0
    journal.start()
    worker.start()
    applied(bootstrap, topics, 200 if damage is widened and not running else 300)
    until(lambda: len(published(bootstrap, topics)) == 20, what="the scores again")
    worker.wait_ready()
    assert log_faults_found(bootstrap, topics) == []


def inspected(bootstrap: Connection, topics: Topics, topic: str, partition: int) -> int:
    """Return the end of an output that the worker had found when it wrote its newest position."""
    written = last_record(bootstrap, topics.changelog, partition)
    if written is None or not written.value or not (written.key or b"").startswith(POSITION_KEY):
        return 0
    logs = StateLogs(Cluster(bootstrap, topics, committed()), partition, written.headers)
    return logs.positions(decode_position(written.value))[topic, partition].offset


def test_an_output_that_lost_its_tail_is_told_by_the_worker(tmp_path: Path) -> None:
    kafka, topics = Kafka(tmp_path / "kafka", port=free_port()), Topics("cut-", partitions=2)
    kafka.start()
    create_topics(kafka.connection, topics)
    roles = RoleProcesses(kafka.connection, topics, tmp_path)
    try:
        roles.start("journal")
        worker = roles.start("worker")
        for first in range(0, 400, 20):
            send(kafka.connection, topics, first, 20)
        applied(kafka.connection, topics, 400)
        publish(kafka.connection, topics, [alert(f"al{n}", n) for n in range(50)])
        for partition in range(2):
            cut_head(kafka.connection, topics.name("risk.alerts"), partition, -1)  # as its retention does
        name = topics.name("account.health")
        ends = end_offsets(kafka.connection, name, range(2))
        until(lambda: all(inspected(kafka.connection, topics, name, p) >= end - 5 for p, end in ends.items()))
        worker.wait_ready()
        worker.child.pause()
        ends = end_offsets(kafka.connection, name, range(2))
        cut_tails(kafka, {(name, p): end - 20 for p, end in ends.items()})
        worker.child.resume()
        until(lambda: "bellbuoy recover outputs" in worker.unready(), what="the reason")
        worker.stop()  # if it hasn't ended by itself, its producer being one that the broker forgot
        worker.start()
        until(lambda: "bellbuoy recover outputs" in worker.unready(), what="the reason after a restart")
        send(kafka.connection, topics, 400, 100)
        applied(kafka.connection, topics, 500)
    finally:
        roles.stop()
        kafka.stop()
