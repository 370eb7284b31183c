"""Bellbuoy: journal and workers as processes, exactly once, every touched account scored and published."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from bench.contenders import Contender, Outcome
from bench.load import Load, fill
from bench.roles import running
from processors.state.encoding import decode_state
from processors.state.position import POSITION_KEY, decode_position, is_account
from streams.kafka.log_reader import read_to_end
from streams.kafka.record import kafka_record

__all__ = ["CONTENDERS"]


def run(load: Load, workers: int = 1) -> Outcome:
    """Run both stages until every event is in the committed state; then compare the changelog."""
    with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as folder, ExitStack() as fleet:
        for number in range(workers):
            own = Path(folder) / f"worker-{number}"
            fleet.enter_context(running("worker", load.bootstrap, load.topics, own))
        reader, counted = _changelog(load), dict.fromkeys(range(load.topics.partitions), 0)
        with running("journal", load.bootstrap, load.topics, Path(folder)):
            started = time.perf_counter()
            while sum(counted.values()) < load.events:
                for message in reader.consume(10_000, 0.05):
                    found = kafka_record(message) if message.error() is None else None
                    if found is not None and (found.key or b"").startswith(POSITION_KEY):
                        counted[found.partition] = decode_position(found.value or b"").applied
            seconds = time.perf_counter() - started
        reader.close()
    return Outcome(load.events, seconds, _totals(load) == load.totals)


def two_workers(load: Load) -> Outcome:
    """Write the load again, as its topics have been read by our group, and share it between two workers."""
    return run(fill(load.bootstrap, load.events, load.accounts, load.seed, load.days), workers=2)


def _changelog(load: Load) -> Consumer:
    reader = Consumer(
        {
            "bootstrap.servers": load.bootstrap,
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
    last = {record.key or b"": record.value or b"" for record in read_to_end(load.bootstrap, starts)}
    return {key.decode(): decode_state(value).applied for key, value in last.items() if is_account(key)}


CONTENDERS = (Contender("bellbuoy", run), Contender("bellbuoy, 2 workers", two_workers))
