"""A deployment of journal and worker on topics of its own, with a clock that the test sets."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.operations.kafka.topics import create_topics, delete_topics
from bellbuoy.simulator.run.clock import SimulationClock
from processors.state.encoding import decode_state
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.records import DeadLetter
from schemas.topics import Topics
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from streams.kafka.cluster import Cluster
from tests.support.changelog import read_topic
from tests.support.input_producer import InputProducer
from tests.support.role_processes import RoleProcesses
from tests.support.waiting import until


@contextmanager
def deployed(bootstrap: Connection, folder: Path, partitions: int = 2) -> Iterator[Deployment]:
    """Run a deployment on new topics, and drop them afterwards."""
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=partitions)
    create_topics(bootstrap, topics)
    deployment = Deployment(bootstrap, topics, folder / "roles")
    try:
        yield deployment
    finally:
        deployment.roles.stop()
        delete_topics(bootstrap, topics)


class Deployment:
    """A running journal and worker, a producer of their inputs, and readers of what they write."""

    def __init__(self, bootstrap: Connection, topics: Topics, folder: Path) -> None:
        self.bootstrap, self.topics = bootstrap, topics
        folder.mkdir()
        self.producer = InputProducer(bootstrap, topics)
        self._clock = SimulationClock(Cluster(bootstrap, topics, committed()))
        self.roles = RoleProcesses(bootstrap, topics, folder, clock="simulated")
        for role in ("journal", "worker"):
            self.roles.start(role)

    def tick(self, now: int) -> None:
        """Set the clock and wait until every partition's state has reached that time."""
        self._clock.tick(now)
        until(
            lambda: [p.written_at for p in self._positions()] == [now] * self.topics.partitions,
            what="the tick",
        )

    def ended(self) -> int:
        """Return how many input events were applied, or ended as duplicates, dead letters or erased."""
        return sum(p.applied + p.duplicates + p.dead_letters + p.erased for p in self._positions())

    def applied(self) -> int:
        return sum(p.applied for p in self._positions())

    def _positions(self) -> list[Any]:
        return list(read_positions(self.bootstrap, self.topics).values())

    def states(self, *without: str) -> dict[bytes, Any]:
        """Return every account's state by key, without the named fields."""
        newest = {
            m.key(): m.value()
            for m in read_topic(self.bootstrap, self.topics.changelog, self.topics.partitions)
        }
        states = {
            key: decode_state(value) for key, value in newest.items() if value and not key.startswith(b"\0")
        }
        return {
            key: {n: v for n, v in msgspec.structs.asdict(state).items() if n not in without}
            for key, state in states.items()
        }

    def letters(self) -> list[DeadLetter]:
        return list(read_dead_letters(self.bootstrap, self.topics, DeadLetterFilter()))

    def cli(self, *arguments: str, code: int = 0, stdin: str = "") -> Any:
        """Run a command with --json and return its answer."""
        environment = {
            "BELLBUOY_KAFKA__BOOTSTRAP": str(self.bootstrap),
            "BELLBUOY_KAFKA__TOPIC_PREFIX": self.topics.prefix,
            "BELLBUOY_KAFKA__PARTITIONS": str(self.topics.partitions),
            "BELLBUOY_JOURNAL__CLOCK": "simulated",
        }
        command = [*arguments, "--json"]
        answer = CliRunner().invoke(app, command, input=stdin, env=environment, catch_exceptions=False)
        assert answer.exit_code == code, answer.output
        return json.loads(answer.stdout)
