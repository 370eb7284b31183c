"""
Health records that each sink writes a second, with real records in batches as delivery makes them.

Client and server are bound to one core together. Where other work shares it, processor time says more than
the clock: the second rate is records by processor seconds of client and server.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # re-exported
from pydantic import SecretStr

from bellbuoy.local.embedded import Kafka, Postgres, Redis
from bench.workload.accounts import NOW, SIZES, cells, grow
from processors.fold.fold import Fold
from processors.fold.shared import Shared
from processors.state.position import Position
from schemas.records import AccountHealth, JournalBatch
from sinks.clickhouse.settings import ClickHouseSettings
from sinks.iceberg.settings import IcebergSettings
from sinks.kafka.settings import KafkaTargetSettings
from sinks.lake.settings import LakeSettings
from sinks.port import Appending, Sink
from sinks.postgres.settings import PostgresSettings
from sinks.postgres.sink import PostgresSink
from sinks.redis.settings import RedisSettings

__all__ = ["SinkRate", "measure", "write_rate"]

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class SinkRate:
    """Health records that a sink writes a second of the clock, and of processor time of client and server."""

    name: str
    by_clock: float
    by_processor: float

    def __str__(self) -> str:
        return (
            f"{self.name:12} {self.by_clock:>9,.0f} records/s "
            f"{self.by_processor:>9,.0f} records/processor second"
        )


def measure(
    names: Sequence[str] = (), accounts: int = 2_000, rounds: int = 20, batch: int = 2_000
) -> Iterator[SinkRate]:
    """Yield the rate of each sink of these names, by default of all; client and server share one core."""
    records = _health_records(accounts)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        for name in names or _SINKS:
            with tempfile.TemporaryDirectory() as folder, _SINKS[name](Path(folder)) as sink:
                yield SinkRate(name, *write_rate(sink, records, rounds, batch))
    finally:
        os.sched_setaffinity(0, before)


def write_rate(sink: Sink, records: list[AccountHealth], rounds: int, batch: int) -> tuple[float, float]:
    """
    Write every record anew in each round and return (records a second, records a processor second).

    Each round is a minute later, so that every record is a newer one of its account.
    """
    with closing(sink):
        sink.open()
        seconds = used = 0.0
        for number in range(rounds):
            later = [
                msgspec.structs.replace(each, as_of=each.as_of + number * 60_000, sequence=number)
                for each in records
            ]
            began, before = time.monotonic(), _processor_seconds()
            for start in range(0, len(later), batch):
                sink.write(later[start : start + batch])
            if isinstance(sink, Appending):
                sink.reached({})  # what gathers records writes them now
            seconds += time.monotonic() - began
            used += _processor_seconds() - before
    written = len(records) * rounds
    return written / seconds, written / used


def _health_records(accounts: int) -> list[AccountHealth]:
    size = SIZES[1]
    states = grow(size, accounts)
    batch = JournalBatch(sequence=1, written_at=NOW, usage=cells(size, accounts, seed=1))
    fold = Fold(states, Position(sequence=0), partition=0, shared=Shared(), take=lambda _: None)
    fold.add(batch, 0, ())
    return [record for _, record in fold.outcome().health]


def _processor_seconds() -> float:
    """Return the processor time of this process and of its children and theirs, so far."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            parents[int(folder.name)] = int(fields[1])
            used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used[pid] for pid in ours)


@contextmanager
def _redis(folder: Path) -> Iterator[Sink]:
    server = Redis(folder)
    server.start()
    yield RedisSettings(url=server.url).sink()
    server.stop()


@contextmanager
def _postgres(folder: Path) -> Iterator[Sink]:
    server = Postgres(folder)
    server.start()
    sink = PostgresSink(PostgresSettings(url=server.url))
    sink.migrate(lambda _: None)
    yield sink
    server.stop()


@contextmanager
def _lake(folder: Path) -> Iterator[Sink]:
    yield LakeSettings(path=folder / "lake", file_records=1).sink()


@contextmanager
def _iceberg(folder: Path) -> Iterator[Sink]:
    catalog, warehouse = f"sqlite:///{folder}/catalog.db", f"file://{folder}/tables"
    yield IcebergSettings(catalog=catalog, warehouse=warehouse, file_records=1).sink()


@contextmanager
def _clickhouse(_: Path) -> Iterator[Sink]:
    """Yield the sink on the engine inside this process: a server adds HTTP to it."""
    yield ClickHouseSettings(url=SecretStr("chdb://memory")).sink()


@contextmanager
def _kafka(folder: Path) -> Iterator[Sink]:
    server = Kafka(folder)
    server.start()
    topics = [NewTopic(name, 4, 1) for name in ("account.health", "account.kpis", "risk.alerts")]
    admin = AdminClient({"bootstrap.servers": server.bootstrap})
    for made in admin.create_topics(topics).values():
        made.result(60)
    yield KafkaTargetSettings(bootstrap=server.bootstrap).sink()
    server.stop()


_SINKS: Mapping[str, Callable[[Path], AbstractContextManager[Sink]]] = {
    "redis": _redis,
    "postgres": _postgres,
    "lake": _lake,
    "iceberg": _iceberg,
    "clickhouse": _clickhouse,
    "kafka_target": _kafka,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.sinks", description="Health records a second of each sink.")
    parser.add_argument("sinks", nargs="*", help=f"of {', '.join(_SINKS)}; by default all")
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=2_000, help="records of one write")
    chosen = parser.parse_args()
    if unknown := set(chosen.sinks) - set(_SINKS):
        parser.error(f"no sink {', '.join(sorted(unknown))}; there is {', '.join(_SINKS)}")
    for rate in measure(chosen.sinks, chosen.accounts, chosen.rounds, chosen.batch):
        print(rate, flush=True)


if __name__ == "__main__":
    main()
