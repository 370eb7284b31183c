"""Waiting for a condition that another process brings about."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], seconds: float = 300.0, what: str = "the condition") -> Any:
    """
    Return the condition's value once it is true; fail when it isn't within *seconds*.

    The limit ends a test whose condition never comes; a busy machine stays far below it. The test's report
    then shows where each thread of this process stood.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            faulthandler.dump_traceback(sys.stderr)
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.1)
