"""
What Python's search for cycles costs the fold, in microseconds of one core an account.

Whether it looks into a struct is decided when the class is made, so each measurement is a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import msgspec

__all__ = ["costs"]


class _Tracked(type(msgspec.Struct)):  # type: ignore[misc]
    """Metaclass of structs that are looked into, whatever their definition says."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(cls, name, bases, namespace, **options | {"gc": True})


class _TrackedStruct(msgspec.Struct, metaclass=_Tracked):
    pass


def costs(size_name: str, count: int, rounds: int) -> dict[str, float]:
    """Return the mean cost of decoding states, which are then kept, and of folding usage into them."""
    from bench.workload.accounts import NOW, SIZES, cells, grow  # noqa: PLC0415 - after the structs' base is chosen
    from processors.fold.partition import FoldedPartition  # noqa: PLC0415
    from processors.fold.shared import Shared  # noqa: PLC0415
    from processors.state.encoding import decode_state  # noqa: PLC0415
    from processors.state.position import Position  # noqa: PLC0415
    from schemas.records import JournalBatch  # noqa: PLC0415
    from streams.runtime.gc import freeze_startup_objects  # noqa: PLC0415

    size = next(size for size in SIZES if size.name == size_name)
    states = grow(size, count)
    freeze_startup_objects()  # as every role does
    decode = fold = 0.0
    folded = FoldedPartition(0, Shared(), states, Position(sequence=0))
    for number in range(1, rounds + 1):
        began = time.thread_time()
        kept = [decode_state(raw) for raw in states.values()]
        decode += time.thread_time() - began
        del kept
        usage = cells(size, count, seed=number)
        batch = JournalBatch(sequence=number, written_at=NOW + 1_000 * number, usage=usage)
        began = time.thread_time()
        for _ in folded.apply([(number, batch)]):
            pass
        fold += time.thread_time() - began
    per_account = 1e6 / count / rounds
    return {"decode the state (if not kept)": decode * per_account, "worker: fold": fold * per_account}


if __name__ == "__main__":
    _, _size, _count, _rounds, _tracked = sys.argv
    if int(_tracked):
        msgspec.Struct = _TrackedStruct  # type: ignore[misc]
    print(json.dumps(costs(_size, int(_count), int(_rounds))))
