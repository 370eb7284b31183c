"""
Faust's Kafka transport, adapted: the journal is read committed, and a changelog ends where its store says.

Before it recovers a table, Faust asks the store how far it came, and then Kafka where the log ends. When a
partition that was kept commits a transaction between the two, the log ends in that transaction's marker. No
reader sees a marker, so Faust would wait for it for ever.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas.connection import Connection
from streams.kafka.aiokafka_connection import ssl_context

__all__ = ["ReadCommittedTransport", "check_signatures", "credentials"]


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust sets it for its exactly_once only
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the ends of changelogs, the only topics that Faust asks for."""
        changelogs = {table.changelog_topic_name: table for table in self.app.tables.values()}
        last_offsets = {tp: changelogs[tp.topic].persisted_offset(tp) for tp in partitions}
        return {tp: 0 if offset is None else offset + 1 for tp, offset in last_offsets.items()}


class ReadCommittedTransport(driver.Transport):
    """Faust's aiokafka transport that sees committed journal batches only."""

    Consumer = _Consumer


def credentials(connection: Connection) -> Credentials | None:
    """Return what Faust's clients show to the brokers, ``None`` where nothing is asked."""
    context = None if connection.tls is None else ssl_context(connection.tls)
    if (login := connection.login) is not None:
        return SASLCredentials(
            username=login.username, password=login.password, mechanism=login.mechanism, ssl_context=context
        )
    return None if context is None else SSLCredentials(context)


def check_signatures() -> None:
    """Raise RuntimeError when Faust's internals are not those that this module was written for."""
    expected: dict[Any, list[str]] = {
        driver.AIOKafkaConsumerThread._create_worker_consumer: ["self", "transport"],  # noqa: SLF001
        driver.Consumer._new_consumer_thread: ["self"],  # noqa: SLF001
        driver.Consumer.highwaters: ["self", "partitions"],
    }
    for function, parameters in expected.items():
        actual = list(inspect.signature(function).parameters)
        if actual != parameters:
            raise RuntimeError(
                f"{function.__qualname__} takes {actual}, expected {parameters}: "
                "install the pinned faust-streaming"
            )
