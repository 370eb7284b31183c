"""Faust's transport with one difference: the journal is read committed."""

from __future__ import annotations

import inspect
from typing import Any

from faust.transport.drivers import aiokafka as driver

__all__ = ["ReadCommittedTransport", "check_signatures"]


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust sets it for its own exactly_once only
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class ReadCommittedTransport(driver.Transport):
    """The aiokafka transport, seeing only committed journal batches."""

    Consumer = _Consumer


def check_signatures() -> None:
    """Raise RuntimeError when Faust's internals are not those that this module was written for."""
    expected: dict[Any, list[str]] = {
        driver.AIOKafkaConsumerThread._create_worker_consumer: ["self", "transport"],  # noqa: SLF001
        driver.Consumer._new_consumer_thread: ["self"],  # noqa: SLF001
    }
    for function, names in expected.items():
        found = list(inspect.signature(function).parameters)
        if found != names:
            raise RuntimeError(
                f"{function.__qualname__} takes {found}, expected {names}: install the pinned faust-streaming"
            )
