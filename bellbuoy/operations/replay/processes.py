"""Processes that fold the partitions of a journal side by side, and end at once with Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["started"]

Job = TypeVar("Job")
Result = TypeVar("Result")


@contextmanager
def started(
    work: Callable[[Job], Result], jobs: Sequence[Job], begin: Callable[..., object], *given: Any
) -> Iterator[list[Future[Result]]]:
    """
    Start *work* on every job, in as many processes as there are cores; yield the futures in their order.

    Each process first calls ``begin`` with what is ``given``. On KeyboardInterrupt the processes are killed;
    they don't hear of Ctrl-C themselves, in whatever they are then, and so print nothing about it.
    """
    others = set(multiprocessing.active_children())
    workers = min(len(jobs), os.cpu_count() or 1)
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), begin, given)
    try:
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit the mask
        try:
            futures = [pool.submit(work, job) for job in jobs]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        yield futures
    except KeyboardInterrupt:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown()
