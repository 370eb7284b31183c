"""
Measurement of a worker's restore: its time, and the bytes that an account takes, stored and in memory.

The changelog is filled with the states of accounts as the worker writes them. Then the real worker is
started on it; its own metrics have the time that it takes to restore all partitions.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from bench.processes.broker import broker, fresh_topics
from bench.processes.roles import running_role
from bench.workload.accounts import NOW, SIZES, Size, grow
from processors.state.position import Position, encode_position, position_key
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = ["Restored", "encoded_bytes", "measure"]

_DISTINCT_STATES = 200
_RECORDS_PER_TRANSACTION = 2_000


@dataclass(frozen=True, slots=True)
class Restored:
    """
    A worker's restore of accounts of one size.

    ``seconds`` is until the last partition was restored, ``ready_seconds`` includes the start of the process;
    an account takes ``disk_bytes`` on the broker's disk, compressed, and ``memory_bytes`` in the worker.
    """

    accounts: int
    size: str
    seconds: float
    ready_seconds: float
    disk_bytes: float
    memory_bytes: float

    def __str__(self) -> str:
        return (
            f"{self.disk_bytes:10,.0f} bytes an account on the broker's disk, compressed\n"
            f"{self.memory_bytes:10,.0f} bytes an account in the worker's memory\n"
            f"{self.accounts:,} {self.size} accounts held again after {self.seconds:.1f} s, "
            f"ready {self.ready_seconds:.1f} s after start"
        )


def encoded_bytes() -> dict[str, float]:
    """Return the mean bytes of an account's encoded state, by size."""
    grown = {size.name: list(grow(size, _DISTINCT_STATES).values()) for size in SIZES}
    return {name: sum(map(len, states)) / len(states) for name, states in grown.items()}


def measure(accounts: int, size: Size) -> Restored:
    """Fill a changelog with the states of so many accounts, and measure a worker that restores them."""
    with broker() as (kafka, folder):
        return _restore(kafka.connection, folder, size, accounts)


def main() -> None:
    """Print the bytes of an account by size, then fill a changelog and restore it."""
    parser = argparse.ArgumentParser(prog="bench.restore", description="State: bytes and restoring.")
    parser.add_argument("--accounts", type=int, default=100_000, help="accounts to restore")
    parser.add_argument(
        "--size", choices=[size.name for size in SIZES], default="typical", help="how much there is of each"
    )
    chosen = parser.parse_args()
    for name, number in encoded_bytes().items():
        print(f"{name:8} {number:10,.0f} bytes of state, as encoded")
    print(measure(chosen.accounts, next(size for size in SIZES if size.name == chosen.size)))


def _restore(connection: Connection, folder: Path, size: Size, accounts: int) -> Restored:
    empty, full = fresh_topics(connection), fresh_topics(connection)
    _fill(connection, full, size, accounts)
    logs = [path for path in (folder / "kafka" / "logs").glob(f"{full.changelog}-*") if path.is_dir()]
    stored = sum(file.stat().st_size for log in logs for file in log.glob("*.log"))
    with running_role("worker", connection, empty, folder / "empty") as worker:
        bare = worker.resident_bytes()
    began = time.monotonic()
    with running_role("worker", connection, full, folder / "full") as worker:
        ready = time.monotonic() - began
        held = worker.resident_bytes() - bare
        longest = worker.metric("bellbuoy_restore_seconds_sum") / full.partitions
        restored = worker.metric("bellbuoy_table_keys")
    if restored != accounts:
        raise RuntimeError(f"{restored:,.0f} accounts were restored of {accounts:,}")
    return Restored(accounts, size.name, longest, ready, stored / accounts, held / accounts)


def _fill(connection: Connection, topics: Topics, size: Size, accounts: int) -> None:
    """Write states to the changelog as the worker does; a few distinct states are repeated."""
    grown = list(grow(size, _DISTINCT_STATES).values())
    written: dict[int, list[tuple[bytes, bytes]]] = {number: [] for number in range(topics.partitions)}
    for number in range(accounts):
        key = account_key("acme", f"acct-{number:07d}")
        written[partition_of(key, topics.partitions)].append((key, grown[number % _DISTINCT_STATES]))
    for partition, records in written.items():
        transactions = TransactionalProducer(connection, f"{topics.app_id}-accounts-{partition}")
        for at in range(0, len(records), _RECORDS_PER_TRANSACTION):
            transactions.begin()
            for key, state in records[at : at + _RECORDS_PER_TRANSACTION]:
                transactions.produce(topics.changelog, state, key, partition)
            position = encode_position(Position(0, 0, NOW))
            transactions.produce(topics.changelog, position, position_key(partition), partition)
            transactions.commit()


if __name__ == "__main__":
    main()
