"""The whole of Bellbuoy on one machine: Kafka, Redis and the four roles as child processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bellbuoy.local.data_dir import DataDir
from bellbuoy.local.embedded import EmbeddedError, Kafka, Redis
from bellbuoy.local.embedded.child import Child, signal_name, stop_all
from bellbuoy.local.embedded.disk import require_space
from bellbuoy.local.environment import child_environment
from bellbuoy.local.ports import PortPlan, place
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.operations import topics as admin
from bellbuoy.settings import ConfigError, Settings

__all__ = ["Addresses", "Stack", "StackError"]


class StackError(Exception):
    """
    A part can't be started or kept running; the message says which, and where its log is.

    Operator action: mend what the message or that log names and start again; no data is lost.
    """


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens; ``metrics`` maps a role to its ``/metrics`` URL."""

    bootstrap: str
    redis_url: str
    gateway: str
    metrics: Mapping[str, str]


class Stack:
    """
    Start, supervise and stop everything.

    A port 0 in the settings takes a free one: ``settings`` and ``addresses`` hold the real ones once
    started. A role that dies is started again; a server that dies, or a role that dies more than 5
    times within 60 s, sets ``failure`` and ``failed``. ``env`` is added to the roles' environment.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        env: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.failure: str | None = None
        self.failed = threading.Event()
        self._env = dict(env or {})
        self._say = say
        self._data = DataDir(settings.data)
        self._kafka: Kafka | None = None
        self._redis: Redis | None = None
        self._roles: dict[str, RoleProcess] = {}
        self._stopping = threading.Event()
        self._monitor: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def addresses(self) -> Addresses:
        """Where everything listens; raises StackError before the start."""
        if self._kafka is None or self._redis is None or not self._roles:
            raise StackError("the stack is not started")
        return Addresses(
            bootstrap=self._kafka.bootstrap,
            redis_url=self.settings.redis.url,
            gateway=self._roles["gateway"].url,
            metrics={name: f"{role.url}/metrics" for name, role in self._roles.items()},
        )

    def role_pid(self, name: str) -> int:
        """Return the present process id of a role, or of ``kafka`` or ``redis``."""
        return self._child(name).pid

    def role_starts(self, name: str) -> int:
        """Return how often a role was started: 1 when it never died."""
        return self._roles[name].starts

    def wait_ready(self, name: str, seconds: float = 60.0) -> bool:
        """Return whether a role became ready within *seconds*."""
        return self._roles[name].wait_ready(seconds)

    def start(self, seconds: float = 120.0) -> Addresses:
        """
        Start everything and return once every role is ready, *seconds* after the servers at the latest.

        Raises EmbeddedError, ConfigError and StackError, with everything stopped again.
        """
        try:
            self._data.lock()
            placement = place(self.settings)
            self._start_servers(placement)
            self._create_topics(placement.settings)
            self._start_roles(placement)
            self._await_roles(seconds)
        except BaseException:
            self.stop()
            raise
        return self.addresses

    def stop(self) -> None:
        """Stop roles, then servers; ten seconds at most. Harmless when stopped already."""
        self._stopping.set()
        if self._monitor is not None and self._monitor is not threading.current_thread():
            self._monitor.join()
        stop_all([role.child for role in self._roles.values()], 5.0)
        stop_all([server.child for server in (self._kafka, self._redis) if server and server.started], 4.0)
        self._data.unlock()

    def _child(self, name: str) -> Child:
        if name == "kafka" and self._kafka is not None:
            return self._kafka.child
        if name == "redis" and self._redis is not None:
            return self._redis.child
        return self._roles[name].child

    def _start_servers(self, at: PortPlan) -> None:
        logs = self._data.logs
        self._kafka = Kafka(self._data.kafka, port=at.kafka.port, log=logs / "kafka.log", fix=at.kafka.fix)
        self._redis = Redis(self._data.redis, port=at.redis.port, log=logs / "redis.log", fix=at.redis.fix)
        began = time.monotonic()
        self._kafka.launch()
        self._redis.start()
        self._kafka.wait_ready()
        self._say(f"Kafka and Redis are up ({time.monotonic() - began:.1f} s).")

    def _create_topics(self, settings: Settings) -> None:
        self.settings = settings
        bootstrap, topics = settings.kafka.bootstrap, settings.kafka.topics()
        created = admin.create(bootstrap, topics)
        faults = admin.check(bootstrap, topics)
        if faults:
            raise ConfigError("the topics can't be used:\n" + "\n".join(f"  - {fault}" for fault in faults))
        if created:
            self._say(f"{len(created)} topics created.")

    def _start_roles(self, at: PortPlan) -> None:
        env = child_environment(self.settings, self._env)
        for name, where in at.roles.items():
            self._roles[name] = RoleProcess(
                name, where.host, where.port, self._data.logs / f"{name}.log", env
            )
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._monitor.start()

    def _await_roles(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        waiting = dict(self._roles)
        while waiting:
            if self.failed.is_set():
                raise StackError(self.failure)
            for name, role in list(waiting.items()):
                why = role.unready()
                if not why:
                    del waiting[name]
                elif time.monotonic() > deadline:
                    raise StackError(f"{name} isn't ready after {seconds:.0f} s: {why}; see {role.log}")
            time.sleep(0.05)

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            failure = self._inspect()
            if failure:
                self.failure = failure
                self.failed.set()
                return

    def _inspect(self) -> str | None:
        for name in ("kafka", "redis"):
            child = self._child(name)
            if not child.running:
                return self._obituary(name, child)
        for role in self._roles.values():
            before, pid = role.starts, role.child.pid
            try:
                failure = role.tend(time.monotonic())
            except OSError as error:
                failure = f"{role.name} can't be started again: {error}"
            if failure:
                return failure
            if role.starts > before:
                self._say(f"{role.name} (process {pid}) died and was started again; see {role.log}")
        return None

    def _obituary(self, name: str, child: Child) -> str:
        try:
            require_space(self._data.root, 50_000_000)
        except EmbeddedError as full:
            return f"{name} {signal_name(child.returncode)}: {full}"
        return f"{name} {signal_name(child.returncode)}; its log {child.log} ends with:\n{child.tail()}"
