"""The lag of a sink, by what the client knows of the ends of its partitions and by what others know."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer

from schemas.records import RiskAlert
from schemas.topics import Topics
from sinks.memory import MemorySink
from streams.delivery.broker_watch import BrokerWatch
from streams.delivery.metrics import LAG
from streams.delivery.subscription import Subscription
from streams.kafka.log_position import LogPosition
from streams.runtime.health import Health

PART = ("risk.alerts", 3)
UNKNOWN = (-1001, -1001)


class KnownEnds:
    """Consumer that knows the ends of its partitions as far as it fetches them."""

    def __init__(self, ends: tuple[int, int]) -> None:
        self.ends = ends

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self.ends


@pytest.mark.parametrize(
    ("fetched", "written", "seen", "lag"),
    [
        ((0, 40), 10, 30, 30.0),
        ((0, 40), 10, 45, 35.0),
        (UNKNOWN, 10, 45, 35.0),  # not fetched, for whatever reason
        ((0, 40), None, 40, 40.0),
        ((0, 40), 40, 40, 0.0),
        ((0, 40), 41, 40, 0.0),
        (UNKNOWN, None, 45, 7.0),  # unknown: it stays what it was
        (UNKNOWN, 10, None, 7.0),
    ],
)
def test_lag_reaches_to_the_farthest_end_that_anyone_saw(
    fetched: tuple[int, int], written: int | None, seen: int | None, lag: float
) -> None:
    class Alerts(MemorySink):
        name = "lagging"
        records = frozenset({RiskAlert})

    gauge = LAG.labels("lagging", *PART)
    gauge.set(7)
    BrokerWatch(Subscription.of(Alerts(), Topics()), Health("deliver")).look(
        cast("Consumer", KnownEnds(fetched)),
        {PART},
        {} if written is None else {PART: LogPosition(written)},
        {} if seen is None else {PART: seen},
        idle=False,
    )
    assert gauge._value.get() == lag
