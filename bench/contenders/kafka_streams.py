"""
Contender Kafka Streams, Java in ``bench/engines``: its DSL over RocksDB with a changelog, tuned.

Because of the record cache, RocksDB, changelog and output get only the last update of an account between two
commits. Timing starts in a JVM that has compiled its code.
"""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path

from bench.contenders import Contender, ContenderResult
from bench.engines.java import command
from bench.engines.job import Job
from bench.jars import KAFKA_STREAMS
from bench.workload.load import Load

__all__ = ["CONTENDERS"]

_SOURCES = Path(__file__).parents[1] / "engines" / "kafka_streams"
_JVM = (
    "-Xms1g",
    "-Xmx1g",
    "-XX:+UseParallelGC",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
)
_WARM_UP = 2_000_000
_DAY = struct.Struct(">iqq")


def run(load: Load, guarantee: str, threads: int) -> ContenderResult:
    """Count until Kafka Streams has committed every event; compare the output and the changelog."""
    job = Job(f"streams-{guarantee}-{threads}", load)
    java = command(KAFKA_STREAMS, _SOURCES, "bench.engines.kafka_streams.UsageTotals", _JVM)
    settings = {
        "processing.guarantee": guarantee,
        "num.stream.threads": threads,
        "statestore.cache.max.bytes": 64 * 1024 * 1024,
        "commit.interval.ms": 1000,
        "producer.compression.type": "lz4",
    }
    seconds = job.run(*java, settings=settings, warm=min(load.events, _WARM_UP))
    exact = job.holds(job.output, _days) and job.holds(f"{job.group}-accounts-changelog", _days)
    return ContenderResult(load.events, seconds, exact)


def _days(key: bytes, value: bytes) -> tuple[str, int, int]:
    """Return the account key, events and milliseconds of a value in the format of ``DayRing.java``."""
    days = list(_DAY.iter_unpack(value))
    return key.decode(), sum(events for _, events, _ in days), sum(duration for _, _, duration in days)


CONTENDERS = tuple(
    Contender(f"Kafka Streams, {words}, {threads}", partial(run, guarantee=guarantee, threads=number))
    for guarantee, words in (("at_least_once", "at least once"), ("exactly_once_v2", "exactly once"))
    for number, threads in ((1, "1 thread"), (2, "2 threads"))
)
