"""
What an account takes in a worker's memory: as stored bytes, and as the value that is cached while it is used.

The value is counted by tracemalloc, as what is freed when the cache is emptied: the decoded state, its newest
evaluation and the encoded parts that are copied when only usage came.
"""

from __future__ import annotations

import gc
import tracemalloc

from bench.workload.accounts import NOW, SIZES, Size, cells, grow
from processors.fold.account_cache import AccountCache
from processors.fold.fold import Fold
from processors.fold.shared import Shared
from processors.state.position import Position
from schemas.codec.record_codec import codec
from schemas.records import JournalBatch

__all__ = ["account_bytes"]

_COUNTS = {"light": 400, "typical": 200, "heavy": 40}
_BATCHES = 4


def account_bytes(size: Size, count: int) -> tuple[float, float]:
    """Return the bytes of an account as stored and as a value, over so many accounts of one size."""
    journal, states, position = codec("account.journal"), grow(size, count), Position(sequence=0)
    tracemalloc.start()
    cache = AccountCache()
    for number in range(1, _BATCHES + 1):
        usage = cells(size, count, seed=number)
        batch = JournalBatch(sequence=number, written_at=NOW + 1_000 * number, usage=usage)
        fold = Fold(states, position, partition=0, shared=Shared(), take=cache.take)
        # Decoded, as the worker reads it: accounts share no text with each other.
        fold.add(journal.decode(journal.encode(batch)), 0, ())
        outcome = fold.outcome()
        cache.put(outcome.accounts, outcome.states)
        states |= {key: state for key, state in outcome.states.items() if state is not None}
        position = outcome.position
    del fold, outcome
    with_values = _traced_bytes()
    del cache
    values = with_values - _traced_bytes()
    tracemalloc.stop()
    return sum(map(len, states.values())) / count, values / count


def _traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def main() -> None:
    """Print the table."""
    print(f"{'bytes an account':16} {'stored':>10} {'as a value':>12} {'times':>8}")
    for size in SIZES:
        stored, value = account_bytes(size, _COUNTS[size.name])
        print(f"{size.name:16} {stored:>10,.0f} {value:>12,.0f} {value / stored:>8.1f}")


if __name__ == "__main__":
    main()
