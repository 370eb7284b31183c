"""A cluster to break: Kafka, Redis, Postgres and members of each role, to kill, pause and add."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bellbuoy.local.embedded import Kafka, Postgres, Redis
from bellbuoy.local.embedded.child import stop_all
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.local.environment import child_environment
from bellbuoy.local.ports import with_role_port
from bellbuoy.local.role_process import COMMAND, RoleProcess
from bellbuoy.operations.delivery.sinks import migratable, sinks
from bellbuoy.operations.kafka.topics import create_topics
from bellbuoy.settings import Settings, load
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.port import Sink
from sinks.redis.reader import RedisReader
from streams.kafka.cluster import Cluster as KafkaCluster

__all__ = ["CHANNEL", "ROLES", "SESSION_SECONDS", "Cluster", "Member"]

ROLES = ("journal", "worker", "deliver", "gateway")
CHANNEL = "inbox"
"""The channel that delivers notifications."""

SESSION_SECONDS = 6.0
"""A member that is silent for so long is replaced; the shortest session that Kafka allows."""

_SUPERVISE_SECONDS = 0.1


class Member:
    """One process of a role, started again whenever it ends; ``deaths`` counts those not caused by us."""

    def __init__(self, process: RoleProcess) -> None:
        self.process = process.start()
        self.deaths = 0
        self.wanted = True

    @property
    def role(self) -> str:
        """The role's name."""
        return self.process.role

    def restart_if_ended(self) -> None:
        """Start the process again where it has ended and is still wanted, as a supervisor does."""
        if self.wanted and not self.process.running:
            self.deaths += 1
            self.process.start()

    def kill(self) -> None:
        """End the process as ``kill -9`` does; the supervisor starts it again."""
        self.deaths -= 1
        self.process.kill()

    def retire(self) -> None:
        """Ask the process to end for good, as an operator does."""
        self.wanted = False
        self.process.child.terminate()


class Cluster:
    """
    A running deployment with topics and keys of its own; a context manager that ends every process.

    Members that end are started again at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = Kafka(folder / "kafka", port=free_port())
        self.redis = Redis(folder / "redis", port=free_port())
        self.postgres = Postgres(folder / "postgres", port=free_port())
        self.topics = Topics(prefix=f"chaos-{uuid.uuid4().hex[:6]}-")
        self.members: list[Member] = []
        self.gateway_port = free_port()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self.kafka.start()
        self.redis.start()
        self.postgres.start()
        for sink in migratable(self.settings):
            sink.migrate(lambda _: None)
        create_topics(self.connection, self.topics)
        for role in ROLES:
            self.add(role)
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with self._lock:
            for member in self.members:
                member.wanted = False
                member.process.child.resume()
            stop_all([member.process.child for member in self.members], 10.0)
        for server in (self.postgres, self.redis, self.kafka):
            if server.started:
                server.child.resume()
            server.stop()

    @property
    def connection(self) -> Connection:
        """How clients connect to the broker."""
        return self.kafka.connection

    @property
    def kafka_cluster(self) -> KafkaCluster:
        """The broker with the deployment's topics."""
        return KafkaCluster(self.connection, self.topics, committed())

    @property
    def settings(self) -> Settings:
        """The settings of every role and command."""
        return load(
            kafka={"bootstrap": self.connection.bootstrap, "topic_prefix": self.topics.prefix},
            redis={"url": self.redis.url, "history": 10_000},
            postgres={"url": self.postgres.url},
            gateway={"port": self.gateway_port},
            journal={"clock": "simulated", "idle_seconds": 0.5, "session_seconds": SESSION_SECONDS},
            worker={"session_seconds": SESSION_SECONDS},
            delivery={"session_seconds": SESSION_SECONDS},
            notify={"channels": {CHANNEL: {"type": "inbox", "folder": self.folder / "inbox", "most": 20}}},
            data=self.folder / "data",
            log_level="warning",
        )

    @property
    def sinks(self) -> list[Sink]:
        """The sinks that delivery writes to, not open."""
        return sinks(self.settings)

    @property
    def environment(self) -> dict[str, str]:
        """The settings as the environment of a command."""
        return child_environment(self.settings)

    def add(self, role: str, command: Sequence[str | Path] = COMMAND) -> Member:
        """Start one more member of a role; *command* is given the role's name."""
        settings = self.settings if role == "gateway" else with_role_port(self.settings, role, free_port())
        with self._lock:
            log = self.folder / f"{role}-{len(self.members)}.log"
            member = Member(RoleProcess(role, settings, log, command=command))
            self.members.append(member)
        return member

    def of(self, role: str) -> list[Member]:
        """Return the members of a role that are wanted, the oldest first."""
        return [member for member in self.members if member.role == role and member.wanted]

    def reader(self) -> RedisReader:
        """Return a reader of Redis."""
        return RedisReader(self.settings.redis)

    def gateway_ready(self) -> bool:
        """Return whether the gateway takes events."""
        return not self.of("gateway")[0].process.unready()

    def deaths(self) -> dict[str, int]:
        """Return how often members of each role ended by themselves; roles without deaths are left out."""
        deaths = dict.fromkeys(ROLES, 0)
        for member in self.members:
            deaths[member.role] += member.deaths
        return {role: number for role, number in deaths.items() if number}

    def restart_kafka(self, *, kill: bool) -> None:
        """Kill the broker, or stop it in order, and start it again on the same port and data."""
        if kill:
            self.kafka.child.kill()
        else:
            self.kafka.stop(20.0)
        time.sleep(0.5)
        self.kafka.start()

    def _supervise(self) -> None:
        while not self._ended.wait(_SUPERVISE_SECONDS):
            with self._lock:
                for member in self.members:
                    member.restart_if_ended()
