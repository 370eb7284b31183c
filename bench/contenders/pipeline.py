"""Contender Bellbuoy: journal and worker processes, exactly once, each changed account scored, published."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from bench.contenders import Contender, ContenderResult
from bench.processes.roles import running_role
from bench.workload.load import Load, fill
from processors.state.encoding import decode_state
from processors.state.position import POSITION_KEY, decode_position, is_account
from streams.kafka.log_reader import read_to_end
from streams.kafka.record import kafka_record

__all__ = ["CONTENDERS"]


def run(load: Load, workers: int = 1) -> ContenderResult:
    """Run both stages until every event is in the committed state, and compare the changelog's totals."""
    with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as folder, ExitStack() as workers_running:
        for number in range(workers):
            own = Path(folder) / f"worker-{number}"
            workers_running.enter_context(running_role("worker", load.connection, load.topics, own))
        reader, counted = _changelog(load), dict.fromkeys(range(load.topics.partitions), 0)
        with running_role("journal", load.connection, load.topics, Path(folder)):
            started = time.perf_counter()
            while sum(counted.values()) < load.events:
                for message in reader.consume(10_000, 0.05):
                    last = kafka_record(message) if message.error() is None else None
                    if last is not None and (last.key or b"").startswith(POSITION_KEY):
                        counted[last.partition] = decode_position(last.value or b"").applied
            seconds = time.perf_counter() - started
        reader.close()
    return ContenderResult(load.events, seconds, _totals(load) == load.totals)


def two_workers(load: Load) -> ContenderResult:
    """Run two workers on a copy of the load, as our consumer group has read the load's own topics already."""
    return run(fill(load.connection, load.events, load.accounts, load.seed, load.days), workers=2)


def _changelog(load: Load) -> Consumer:
    reader = Consumer(
        {
            **load.connection.librdkafka(),
            "group.id": "bench",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    reader.assign([TopicPartition(load.topics.changelog, n, 0) for n in range(load.topics.partitions)])
    return reader


def _totals(load: Load) -> dict[str, int]:
    starts = [TopicPartition(load.topics.changelog, n, 0) for n in range(load.topics.partitions)]
    last = {record.key or b"": record.value or b"" for record in read_to_end(load.connection, starts)}
    return {key.decode(): decode_state(value).applied for key, value in last.items() if is_account(key)}


CONTENDERS = (Contender("bellbuoy", run), Contender("bellbuoy, 2 workers", two_workers))
