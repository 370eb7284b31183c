from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.contenders import ContenderResult, idiomatic_faust, quix
from bench.engines.job import Job, day_ring
from bench.workload.load import Load
from schemas.connection import Connection
from tests.support.aged_load import fill

pytestmark = pytest.mark.services


@pytest.mark.parametrize(("engine", "run"), [("quix", quix.run), ("faust", idiomatic_faust.run)])
def test_an_engine_counts_the_days_of_the_ring_and_no_others(
    bootstrap: Connection,
    engine: str,
    run: Callable[[Load], ContenderResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "bench.engines.job._MAX_SECONDS", 300.0
    )  # an engine that hangs shows its log before the test ends
    days = [*range(120)] * 10
    random.Random(2).shuffle(days)
    load = fill(bootstrap, [0] * 500 + days)

    outcome = run(load)

    assert outcome.exact
    assert outcome.events == len(days) + 500
    short = replace(load, totals=load.totals | {"acme:acct-1": 1})
    job = Job(engine, short)
    assert not job.holds(job.output, day_ring), "a wrong total disqualifies"
