"""
How long a worker takes to hold its accounts again, and what an account takes, stored and in memory.

The changelog is filled with the states of accounts as the worker writes them. Then the real worker is
started on it; what it says of itself is the time to take all partitions over.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from pathlib import Path

from bellbuoy import topics as admin
from bellbuoy.embedded import Kafka
from bench.accounts import NOW, SIZES, Size, grow
from bench.roles import running
from processors.state import Position, encode_position, position_key
from schemas.keys import account_key, partition_of
from schemas.topics import Topics
from streams.kafka import Transactions

__all__ = ["main"]

_GROWN = 200
_TRANSACTION = 2_000


def main() -> None:
    """Print bytes an account by size, then fill a changelog and restore it."""
    parser = argparse.ArgumentParser(prog="bench.restore", description="State: bytes and restoring.")
    parser.add_argument("--accounts", type=int, default=100_000, help="accounts to restore")
    parser.add_argument(
        "--size", choices=[size.name for size in SIZES], default="typical", help="how much there is of each"
    )
    chosen = parser.parse_args()
    for size in SIZES:
        states = list(grow(size, _GROWN).values())
        print(f"{size.name:8} {sum(map(len, states)) / len(states):10,.0f} bytes of state, as encoded")
    size = next(size for size in SIZES if size.name == chosen.size)
    with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as folder:
        kafka = Kafka(Path(folder) / "kafka")
        kafka.start()
        try:
            _restore(kafka.bootstrap, Path(folder), size, chosen.accounts)
        finally:
            kafka.stop()


def _restore(bootstrap: str, folder: Path, size: Size, accounts: int) -> None:
    empty, full = (Topics(prefix=f"bench-{uuid.uuid4().hex[:6]}-") for _ in range(2))
    for topics in (empty, full):
        admin.create(bootstrap, topics)
    _fill(bootstrap, full, size, accounts)
    logs = [path for path in (folder / "kafka" / "logs").glob(f"{full.changelog}-*") if path.is_dir()]
    stored = sum(file.stat().st_size for log in logs for file in log.glob("*.log"))
    with running("worker", bootstrap, empty, folder / "empty") as worker:
        bare = worker.resident_bytes()
    began = time.monotonic()
    with running("worker", bootstrap, full, folder / "full") as worker:
        ready = time.monotonic() - began
        held = worker.resident_bytes() - bare
        longest = worker.metric("bellbuoy_restore_seconds_sum") / full.partitions
        found = worker.metric("bellbuoy_table_keys")
    if found != accounts:
        raise RuntimeError(f"{found:,.0f} accounts were restored of {accounts:,}")
    print(f"{stored / accounts:10,.0f} bytes an account on the broker's disk, compressed")
    print(f"{held / accounts:10,.0f} bytes an account in the worker's memory")
    print(
        f"{accounts:,} {size.name} accounts held again after {longest:.1f} s, ready {ready:.1f} s after start"
    )


def _fill(bootstrap: str, topics: Topics, size: Size, accounts: int) -> None:
    """Write states to the changelog as the worker does; the few that were grown stand for all."""
    grown = list(grow(size, _GROWN).values())
    written: dict[int, list[tuple[bytes, bytes]]] = {number: [] for number in range(topics.partitions)}
    for number in range(accounts):
        key = account_key("acme", f"acct-{number:07d}")
        written[partition_of(key, topics.partitions)].append((key, grown[number % _GROWN]))
    for partition, records in written.items():
        transactions = Transactions(bootstrap, f"{topics.app_id}-accounts-{partition}")
        for at in range(0, len(records), _TRANSACTION):
            transactions.begin()
            for key, state in records[at : at + _TRANSACTION]:
                transactions.produce(topics.changelog, state, key, partition)
            position = encode_position(Position(0, 0, NOW))
            transactions.produce(topics.changelog, position, position_key(partition), partition)
            transactions.commit()


if __name__ == "__main__":
    main()
