"""Kafka, Redis and as many members of every role as are wanted, to be killed, paused and added."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Self

from bellbuoy.local.embedded import Kafka, Redis
from bellbuoy.local.embedded.child import Child, stop_all
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations import topics as admin
from bellbuoy.operations.roles import PORT_VARIABLES
from schemas.topics import Topics
from sinks.port import Sink
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings

__all__ = ["ROLES", "SESSION_SECONDS", "Fleet", "Member"]

ROLES = ("journal", "worker", "deliver", "gateway")
SESSION_SECONDS = 6.0
"""After so long a silent member is replaced; the least that Kafka allows."""

_TEND_SECONDS = 0.1


class Member:
    """One process of a role; ``deaths`` counts the times that it ended by itself and was started again."""

    def __init__(self, role: str, port: int, log: Path, env: dict[str, str], launcher: list[str]) -> None:
        self.role, self.port, self.log = role, port, log
        self.deaths = 0
        self.wanted = True
        self._env, self._launcher = env, launcher
        self.child = self._spawn()

    def tend(self) -> None:
        """Start it again where it ended and is still wanted, as a supervisor does."""
        if self.wanted and not self.child.running:
            self.deaths += 1
            self.child = self._spawn()

    def kill(self) -> None:
        """End it as ``kill -9`` does; whoever tends it starts it again."""
        self.deaths -= 1
        self.child.kill()

    def retire(self) -> None:
        """End it for good, as an operator does."""
        self.wanted = False
        self.child.terminate()

    def _spawn(self) -> Child:
        command = [*self._launcher, sys.executable, "-P", "-m", "bellbuoy", self.role]
        return Child(self.role, command, self.log, self._env)


class Fleet:
    """
    Everything running, on topics and keys of its own; a context manager that ends every process.

    Members that end are started again at once; the time that passes is the caller's to measure.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = Kafka(folder / "kafka", port=free_port())
        self.redis = Redis(folder / "redis", port=free_port())
        self.topics = Topics(prefix=f"chaos-{uuid.uuid4().hex[:6]}-")
        self.members: list[Member] = []
        self.gateway_port = free_port()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self.kafka.start()
        self.redis.start()
        admin.create(self.bootstrap, self.topics)
        for role in ROLES:
            self.add(role)
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._lock:
            for member in self.members:
                member.wanted = False
                if member.child.running:
                    os.kill(member.child.pid, signal.SIGCONT)
            stop_all([member.child for member in self.members], 10.0)
        for server in (self.redis, self.kafka):
            if server.started and server.child.running:
                os.kill(server.child.pid, signal.SIGCONT)
            server.stop()

    @property
    def bootstrap(self) -> str:
        """The broker."""
        return self.kafka.bootstrap

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every role and command, as variables."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")},
            "BELLBUOY_KAFKA__BOOTSTRAP": self.bootstrap,
            "BELLBUOY_KAFKA__TOPIC_PREFIX": self.topics.prefix,
            "BELLBUOY_REDIS__URL": self.redis.url,
            "BELLBUOY_REDIS__HISTORY": "10000",
            "BELLBUOY_JOURNAL__CLOCK": "simulated",
            "BELLBUOY_JOURNAL__IDLE_SECONDS": "0.5",
            "BELLBUOY_JOURNAL__SESSION_SECONDS": str(SESSION_SECONDS),
            "BELLBUOY_WORKER__SESSION_SECONDS": str(SESSION_SECONDS),
            "BELLBUOY_DELIVERY__SESSION_SECONDS": str(SESSION_SECONDS),
            "BELLBUOY_DATA": str(self.folder / "data"),
            "BELLBUOY_LOG_LEVEL": "warning",
        }

    def add(self, role: str, launcher: list[str] | None = None) -> Member:
        """Start one more member of a role; *launcher* is what its command is given to."""
        port = self.gateway_port if role == "gateway" else free_port()
        with self._lock:
            log = self.folder / f"{role}-{len(self.members)}.log"
            member = Member(
                role, port, log, self.environment | {PORT_VARIABLES[role]: str(port)}, launcher or []
            )
            self.members.append(member)
        return member

    def of(self, role: str) -> list[Member]:
        """Return the members of a role that are wanted, the oldest first."""
        return [member for member in self.members if member.role == role and member.wanted]

    @property
    def sinks(self) -> list[Sink]:
        """The sinks that delivery writes to, not open."""
        return [RedisSettings(url=self.redis.url).sink()]

    def reader(self) -> RedisReader:
        """Return a reader of the serving store."""
        return RedisReader(RedisSettings(url=self.redis.url))

    def deaths(self) -> dict[str, int]:
        """Return how often members of each role ended by themselves."""
        found = dict.fromkeys(ROLES, 0)
        for member in self.members:
            found[member.role] += member.deaths
        return {role: number for role, number in found.items() if number}

    def _supervise(self) -> None:
        while not self._over.wait(_TEND_SECONDS):
            with self._lock:
                for member in self.members:
                    member.tend()

    def restart_kafka(self, *, kill: bool) -> None:
        """End the broker, by force or in order, and start it again on the same port and data."""
        if kill:
            self.kafka.child.kill()
        else:
            self.kafka.stop(20.0)
        time.sleep(0.5)
        self.kafka.start()
