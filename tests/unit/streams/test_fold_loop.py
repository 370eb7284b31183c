"""The loop that folds batches reads again what is missing, also where nothing more comes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from msgspec.structs import replace

from processors.state.position import Position
from streams.worker import fold_loop
from streams.worker.fold_loop import FoldLoop

PARTITION = TP("account.journal", 0)


class _State:
    """The state of one partition that only counts: what is applied is its position."""

    def __init__(self, position: Position) -> None:
        self.number, self.position, self.states = 0, position, ()
        self.producer = SimpleNamespace(ends_due=False)
        self.logs = SimpleNamespace(require_next=lambda _position: None)

    def apply(self, batches: list[tuple[int, Any]]) -> list[Any]:
        offset, batch = batches[-1]
        self.position = replace(self.position, offset=offset, sequence=batch.sequence)
        return []


def _message(number: int) -> SimpleNamespace:
    return SimpleNamespace(value=b"batch", offset=number, number=number)


@pytest.mark.parametrize("dropped", [0, 1, 3])
async def test_a_batch_that_is_missing_is_sought_until_it_comes(
    monkeypatch: pytest.MonkeyPatch, dropped: int
) -> None:
    """Faust drops what it reads again a few times; no batch follows that would show the gap anew."""
    monkeypatch.setattr(fold_loop, "_IDLE_SECONDS", 0.005)
    monkeypatch.setattr(fold_loop, "_FIRST_SEEK_SECONDS", 0.001)
    state = _State(Position(offset=4, sequence=4))
    sought: list[int] = []
    codec = SimpleNamespace(decode=lambda _value: SimpleNamespace(sequence=codec.numbers.pop(0)), numbers=[])

    async def seek(_tp: TP, offset: int) -> None:
        sought.append(offset)
        if len(sought) > dropped:
            for number in (5, 6):
                codec.numbers.append(number)
                await loop.put(_message(number))

    loop: Any = FoldLoop(
        SimpleNamespace(consumer=SimpleNamespace(seek=seek)),  # type: ignore[arg-type]
        PARTITION,
        SimpleNamespace(partitions={0: state}),  # type: ignore[arg-type]
        codec,  # type: ignore[arg-type]
        ThreadPoolExecutor(1),
        SimpleNamespace(batches_done=lambda *_: None, applied=lambda *_: None),  # type: ignore[arg-type]
    )
    codec.numbers.append(6)
    await loop.put(_message(6))
    running = asyncio.create_task(loop.run())
    try:
        while state.position.sequence < 6:
            assert not running.done()
            await asyncio.sleep(0.001)
    finally:
        running.cancel()
    assert sought == [5] * (dropped + 1)
