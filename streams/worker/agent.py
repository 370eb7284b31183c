"""The Faust agent that hands each journal batch to the fold loop of its partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from faust.types import TP

from schemas.codec.record_codec import Codec
from schemas.records import JournalBatch
from streams.pacing.progress import ProgressReporter
from streams.worker.fold_loop import FoldLoop
from streams.worker.store import AccountStore

__all__ = ["bind_agent"]

_FOLD_THREADS = 8


def bind_agent(
    app: faust.App,
    journal: Any,
    store: AccountStore,
    codec: Codec[JournalBatch],
    progress: ProgressReporter,
    fail: Callable[[BaseException], None],
) -> None:
    """
    Bind the agent to the journal topic.

    Each partition has a loop of its own, so partitions fold and commit side by side. ``fail`` is called with
    whatever a loop raises and must end the process: Faust would take the failed event as done.
    """
    loops: dict[int, FoldLoop] = {}
    pool = ThreadPoolExecutor(max_workers=_FOLD_THREADS, thread_name_prefix="fold")

    @app.agent(journal, name="accounts")
    async def accounts(stream: Any) -> None:
        async for event in stream.events():
            partition = event.message.partition
            if partition not in loops:
                tp = TP(event.message.topic, partition)
                loops[partition] = FoldLoop(app, tp, store, codec, pool, progress)
                app.add_future(_guard(loops[partition].run(), fail))
            progress.batch_arrived(partition)
            await loops[partition].put(event.message)


async def _guard(loop: Coroutine[Any, Any, None], fail: Callable[[BaseException], None]) -> None:
    try:
        await loop
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - nothing may be swallowed; the process ends
        fail(error)
