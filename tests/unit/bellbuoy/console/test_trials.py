"""A trial of a model: it ends with the console, whatever it has still before it."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any

import pytest

from bellbuoy.console import trials
from bellbuoy.settings import Settings
from processors.model import DEFAULT
from tests.support.waiting import until


def _endless_replay(*_: Any, progress: Any, **__: Any) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(time.sleep, 3_600)}
        while running:
            done, running = wait(running, 0.05)
            progress(0)
            for one in done:
                one.result()


def test_a_trial_that_runs_does_not_keep_the_console_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "require_topics", lambda _: None)
    monkeypatch.setattr(trials, "read_positions", lambda *_: {})
    monkeypatch.setattr(trials, "replay_journal", _endless_replay)
    begun = trials.ModelTrials(Settings())
    assert begun.begin("demo", DEFAULT, 0, "kim")
    assert not begun.begin("demo", DEFAULT, 0, "kim"), "one runs already"
    until(multiprocessing.active_children, what="the process of the trial")
    begun.stop()
    until(lambda: "model-trial" not in {one.name for one in threading.enumerate()}, what="the trial's end")
    assert multiprocessing.active_children() == []
    assert not begun.begin("demo", DEFAULT, 0, "kim"), "the console stops"
