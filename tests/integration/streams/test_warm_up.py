"""The compiler's cache as the container image uses it: filled once, then no process compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_COUNT = """
from schemas.codec.registry import committed
from streams.journal.warm_up import warm_up
warm_up(committed())
from numba.core.dispatcher import Dispatcher
import gc
print(sum(sum(each.stats.cache_misses.values()) for each in gc.get_objects() if isinstance(each, Dispatcher)))
"""


def run(arguments: list[str], cache: Path) -> str:
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(cache),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_warm_up_compiled_no_later_process_compiles(tmp_path: Path) -> None:
    assert int(run(["-c", _COUNT], tmp_path / "cold")) > 5
    run(["-m", "streams.journal.warm_up"], tmp_path / "warm")
    assert int(run(["-c", _COUNT], tmp_path / "warm")) == 0
