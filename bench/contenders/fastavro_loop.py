"""Contender without an engine: a loop that decodes with fastavro and counts in a dict; nothing is durable."""

from __future__ import annotations

import time
from collections import Counter

from bench.contenders import Contender, ContenderResult
from bench.contenders.consume_only import consumer
from bench.workload.load import Load
from schemas.codec.record_codec import codec
from schemas.times import DAY

__all__ = ["CONTENDERS"]


def run(load: Load) -> ContenderResult:
    """Count events and durations."""
    decode, client = codec("usage.events").decode_fields, consumer(load)
    events: Counter[tuple[str, int]] = Counter()
    durations: Counter[tuple[str, int]] = Counter()
    count, started = 0, time.perf_counter()
    while count < load.events:
        for message in client.consume(20_000, 1.0):
            fields = decode(message.value())
            key = f"{fields['tenant']}:{fields['account_id']}", fields["occurred_at"] // DAY
            events[key] += 1
            durations[key] += fields["duration_ms"] or 0
            count += 1
    seconds = time.perf_counter() - started
    client.close()
    totals: Counter[str] = Counter()
    for (account, _), number in events.items():
        totals[account] += number
    return ContenderResult(load.events, seconds, totals == load.totals)


CONTENDERS = (Contender("fastavro loop, not durable", run),)
