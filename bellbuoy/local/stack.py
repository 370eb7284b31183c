"""The whole of Bellbuoy on one machine: Kafka, servers of sinks and the roles as child processes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bellbuoy.console.links import console_url, new_link
from bellbuoy.errors import OperatorError
from bellbuoy.local.data_dir import DataDir
from bellbuoy.local.embedded import EmbeddedError, Kafka
from bellbuoy.local.embedded.child import Child, ending, stop_all
from bellbuoy.local.embedded.disk import require_space
from bellbuoy.local.embedded.server import EmbeddedServer
from bellbuoy.local.inbox import inbox_page, with_inbox
from bellbuoy.local.ports import PortPlan, plan_ports
from bellbuoy.local.role_process import RoleProcess
from bellbuoy.local.servers import SinkServer, sink_servers
from bellbuoy.local.supervision import SupervisedRole
from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.operations.kafka.topics import create_topics, require_topics
from bellbuoy.operations.roles import ROLES, listen
from bellbuoy.settings import Settings
from processors.measures.formats import count
from schemas.connection import Connection
from sinks.port import Migratable, SinkError, SinkSettingsError

__all__ = ["Addresses", "Stack", "StackError"]


class StackError(OperatorError):
    """
    A part can't be started or kept running; the message says which, and where its log is.

    Operator action: fix what the message or that log names and start again; no data is lost.
    """


@dataclass(frozen=True, slots=True)
class Addresses:
    """
    The addresses of a running stack.

    ``servers`` maps the server of a sink to its URL, and ``metrics`` a role to its ``/metrics`` URL.
    ``inbox`` is the page of the notifications that are delivered to this machine, where there is one.
    """

    connection: Connection
    servers: Mapping[SinkServer, str]
    gateway: str
    metrics: Mapping[str, str]
    inbox: Path | None = None


class Stack:
    """
    Starts, supervises and stops everything.

    A port 0 in the settings takes a free one: ``settings`` and ``addresses`` have the real ones once
    started. A role that dies is started again; a server that dies, or a role that dies more than 5
    times within 60 s, sets ``failure`` and ``failed``. The gateway's listening socket stays open in
    between, so connections wait for the next process instead of being refused. ``say`` is called with what
    an operator should know.
    """

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self.failure: str | None = None
        self.failed = threading.Event()
        self._say = say
        self._data = DataDir(settings.data)
        self._kafka: Kafka | None = None
        self._servers: dict[str, EmbeddedServer] = {}
        self._roles: dict[str, SupervisedRole] = {}
        self._listener: socket.socket | None = None
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
        """The addresses of all parts; raises StackError before the start."""
        if self._kafka is None or not self._roles:
            raise StackError("the stack is not started")
        return Addresses(
            connection=self._kafka.connection,
            servers={server: server.url(self.settings) for server in sink_servers(self.settings)},
            gateway=self._roles["gateway"].process.url,
            metrics={name: f"{role.process.url}/metrics" for name, role in self._roles.items()},
            inbox=inbox_page(self.settings),
        )

    def console_link(self) -> str:
        """Return a new link to the console, which signs in once."""
        return new_link(self.settings, self._roles["console"].process.port)

    def start(self, seconds: float = 120.0) -> Addresses:
        """
        Start everything and return once every role is ready, *seconds* after the servers at the latest.

        Raises EmbeddedError, ConfigError and StackError, with everything stopped again.
        """
        try:
            self._data.lock()
            ports = plan_ports(self.settings)
            self.settings = _with_console_links(with_inbox(ports.settings))
            self._start_servers(ports)
            self._create_topics()
            self._start_roles()
            self._await_roles(seconds)
        except BaseException:
            self.stop()
            raise
        return self.addresses

    def stop(self) -> None:
        """Stop roles, then servers, within ten seconds; harmless when stopped already."""
        self._stopping.set()
        if self._monitor is not None and self._monitor is not threading.current_thread():
            self._monitor.join()
        stop_all([role.process.child for role in self._roles.values()], 5.0)
        if self._listener is not None:
            self._listener.close()
        servers = [self._kafka, *self._servers.values()]
        stop_all([server.child for server in servers if server is not None and server.started], 4.0)
        self._data.unlock()

    def _start_servers(self, ports: PortPlan) -> None:
        data = self._data
        self._kafka = Kafka(
            data.folder("kafka"), port=ports.kafka.port, log=data.logs / "kafka.log", fix=ports.kafka.fix
        )
        titles = ["Kafka"]
        began = time.monotonic()
        self._kafka.launch()
        for server, use in ports.servers.items():
            log = data.logs / f"{server.name}.log"
            running = server.embed(data.folder(server.name), port=use.port, log=log, fix=use.fix)
            self._servers[server.name] = running
            running.start()
            titles.append(server.title)
        self._kafka.wait_ready()
        self._say(f"{', '.join(titles[:-1])} and {titles[-1]} are up ({time.monotonic() - began:.1f} s).")
        self._migrate()

    def _migrate(self) -> None:
        for sink in sinks(self.settings):
            if isinstance(sink, Migratable):
                applied: list[str] = []
                try:
                    sink.migrate(applied.append)
                except (SinkError, SinkSettingsError) as error:
                    raise StackError(str(error)) from error
                if applied:
                    self._say(f"{len(applied)} migrations of {sink.name} applied.")

    def _create_topics(self) -> None:
        kafka = self.settings.kafka
        created = create_topics(kafka.connection(), kafka.topics())
        require_topics(self.settings)
        if created:
            self._say(f"{count(len(created), 'topic')} created.")

    def _start_roles(self) -> None:
        gateway = self.settings.gateway
        self._listener = listen(gateway.host, gateway.port, "gateway")
        asked = ("poll",) if self.settings.poll.pulls() else ()
        for name in (*ROLES, *asked, "console"):
            listener = self._listener if name == "gateway" else None
            process = RoleProcess(name, self.settings, self._data.logs / f"{name}.log", listener=listener)
            self._roles[name] = SupervisedRole(process.start())
        self._monitor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._monitor.start()

    def _await_roles(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        waiting = {name: role.process for name, role in self._roles.items()}
        while waiting:
            if self.failed.is_set():
                raise StackError(self.failure)
            for name, process in list(waiting.items()):
                why = process.unready()
                if not why:
                    del waiting[name]
                elif time.monotonic() > deadline:
                    raise StackError(f"{name} isn't ready after {seconds:.0f} s: {why}; see {process.log}")
            time.sleep(0.05)

    def _supervise(self) -> None:
        while not self._stopping.wait(0.1):
            failure = self._tend_all()
            if failure:
                self.failure = failure
                self.failed.set()
                return

    def _tend_all(self) -> str | None:
        """Start ended roles again; return why the stack has failed, if it has."""
        assert self._kafka is not None
        for name, server in {"kafka": self._kafka, **self._servers}.items():
            if not server.child.running:
                return self._cause_of_death(name, server.child)
        for role in self._roles.values():
            process = role.process
            starts, pid = process.starts, process.child.pid
            try:
                failure = role.tend(time.monotonic())
            except OSError as error:
                failure = f"{process.role} can't be started again: {error}"
            if failure:
                return failure
            if process.starts > starts:
                self._say(f"{process.role} (process {pid}) died and was started again; see {process.log}")
        return None

    def _cause_of_death(self, name: str, child: Child) -> str:
        try:
            require_space(self._data.root, 50_000_000)
        except EmbeddedError as full:
            return f"{name} {ending(child.returncode)}: {full}"
        return f"{name} {ending(child.returncode)}; its log {child.log} ends with:\n{child.tail()}"


def _with_console_links(settings: Settings) -> Settings:
    """Return the settings with notifications that link to this stack's console, unless they name another."""
    if settings.notify.console_url is not None:
        return settings
    notify = settings.notify.model_copy(update={"console_url": console_url(settings)})
    return settings.model_copy(update={"notify": notify})
