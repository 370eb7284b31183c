"""The signals that stop a role."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

__all__ = ["stopped_by_signals"]

log = structlog.get_logger(__name__)


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """
    Let SIGTERM and SIGINT set *stop* inside the block, as the main thread.

    Another thread can't take signals: whoever began it sets the event.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request_stop(number: int, _: Any) -> None:
        log.info("Stopping.", signal=signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
