from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bench.contenders import kafka_streams
from bench.engines.job import Job
from schemas.connection import Connection
from tests.support.aged_load import fill

pytestmark = pytest.mark.services


def test_kafka_streams_counts_the_days_of_the_ring_and_no_others(bootstrap: Connection) -> None:
    days = [*range(120)] * 100 + [0] * 1000
    random.Random(2).shuffle(days)
    load = fill(bootstrap, days)

    outcome = kafka_streams.run(load, "exactly_once_v2", 2)

    assert outcome.exact
    assert outcome.events == len(days)
    short = replace(load, totals=load.totals | {"acme:acct-1": 1})
    job = Job("streams-exactly_once_v2-2", short)
    assert not job.holds(job.output, kafka_streams._days), "a wrong total disqualifies"
