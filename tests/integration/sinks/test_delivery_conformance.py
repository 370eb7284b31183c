"""What every sink gets from delivery: a crash costs nothing, and its metrics are those of all sinks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from schemas.connection import Connection
from schemas.topics import Topics
from sinks.port import Output, Sink
from streams.runtime.errors import DeliveryError
from tests.support.delivery import QUICK, delivering, done, publish
from tests.support.output_records import story
from tests.support.sinks_under_test import SINKS, SinkUnderTest
from tests.support.waiting import until

pytestmark = pytest.mark.services

SMALL = QUICK.model_copy(update={"batch_records": 20})
METRICS = ("write_seconds_count", "batch_size_count", "last_success_timestamp_seconds")


@pytest.fixture(params=SINKS)
def destinations(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[SinkUnderTest, SinkUnderTest]]:
    opened = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        opened.append(request.param(tmp_path / name))
    yield next(opened[0]), next(opened[1])
    for each in opened:
        each.close()


def dying(sink: Sink, writes: int) -> Sink:
    """Return the sink, whose process dies after so many writes and before the last one is committed."""
    sink = copy(sink)  # a sink in memory is one object for all
    write, left = sink.write, iter(range(writes))

    def write_and_die(batch: Sequence[Output], /) -> None:
        write(batch)
        if next(left, None) is None:
            raise RuntimeError("died")

    sink.write = write_and_die  # type: ignore[method-assign]
    return sink


def deliver_until_it_dies(bootstrap: Connection, topics: Topics, sink: Sink) -> None:
    died: list[bool] = []
    write = sink.write

    def noted(batch: Sequence[Output], /) -> None:
        try:
            write(batch)
        except RuntimeError:
            died.append(True)
            raise

    sink.write = noted  # type: ignore[method-assign]
    with delivering(bootstrap, topics, sink, settings=SMALL):
        until(lambda: died, what="its death")


@pytest.mark.conformance("kill")
def test_a_crash_between_a_write_and_its_commit_changes_nothing(
    destinations: tuple[SinkUnderTest, SinkUnderTest], bootstrap: Connection, topics: Topics
) -> None:
    under_test, untouched = destinations
    outputs = story()
    sink = untouched.sink()
    sink.open()
    sink.write([output for output in outputs if type(output) in sink.records])
    sink.close()
    publish(bootstrap, topics, outputs, per_transaction=10)

    for writes in (0, 2):
        with pytest.raises(DeliveryError, match="died"):
            deliver_until_it_dies(bootstrap, topics, dying(under_test.sink(), writes))
    with delivering(bootstrap, topics, under_test.sink()):
        until(lambda: done(bootstrap, topics, sink))

    assert under_test.content() == untouched.content()
    for metric in METRICS:
        assert REGISTRY.get_sample_value(f"bellbuoy_sink_{metric}", {"sink": sink.name}), metric
