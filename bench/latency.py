"""
Latency from event to Redis: how long until a received event's score can be read, at steady rates.

The journal, the worker and delivery run as processes with their default settings, on a real Kafka and a
real Redis, all on this machine with the sender. Accounts begin with two months of events. An event's latency
is the id of its update on Redis's update stream, which is Redis's own clock, minus its time of receipt.
"""

from __future__ import annotations

import argparse
import random
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Producer, TopicPartition

from bellbuoy.times import now
from bench.processes.deployment import Deployment, deployed
from bench.processes.roles import MeasuredProcess
from bench.workload.accounts import SIZES, life
from bench.workload.paced import Paced, sender
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import RECORDS, codec
from schemas.identity.keys import account_key
from schemas.inputs import INPUT_TOPICS
from schemas.producer_settings import DURABLE
from schemas.records import UsageCell, UsageEvent
from streams.kafka.log_reader import end_offsets, read_to_end

__all__ = ["Latency", "measure"]

_WARM_UP_SECONDS = 5.0
_KEPT_UPDATES = 2_000_000
_PERCENTILES = (50, 95, 99, 100)


@dataclass(frozen=True, slots=True)
class Latency:
    """
    Latencies of events at a steady rate, in milliseconds: p50, p95, p99 and the longest.

    ``redis`` is until the score that they changed could be read, ``journal`` until they were in a batch.
    ``sender_late_ms`` is the sender's worst delay; ``busy`` has the cores that each process used.
    """

    rate: int
    accounts: int
    events: int
    updates_per_s: float
    sender_late_ms: float
    redis: tuple[float, ...]
    journal: tuple[float, ...]
    busy: dict[str, float]

    def __str__(self) -> str:
        busy = ", ".join(f"{name} {cores:.2f}" for name, cores in self.busy.items())
        return (
            f"{self.rate:,} events/s over {self.accounts:,} accounts, {self.events:,} sent, "
            f"{self.updates_per_s:,.0f} updates/s, sender late by {self.sender_late_ms:.0f} ms at most\n"
            f"  event to Redis    {_percentiles(self.redis)}\n"
            f"  event to journal  {_percentiles(self.journal)}\n"
            f"  cores busy        {busy}"
        )


def measure(rates: Sequence[int], accounts: int, seconds: float, *, pack: bool = False) -> Iterator[Latency]:
    """Start everything, send the accounts' history, and yield the latencies of each rate in turn."""
    with deployed(updates=_KEPT_UPDATES) as deployment:
        sent = _history(deployment, accounts)
        deployment.settle(sent)
        for number, rate in enumerate(rates):
            load = _Steady(rate, accounts, seconds, number + 1, pack)
            latency = _measure(deployment, load, before=sent)
            sent += latency.events
            yield latency


def main() -> None:
    """Print the latencies of each rate."""
    parser = argparse.ArgumentParser(prog="bench.latency", description="Event to Redis at steady rates.")
    parser.add_argument("--rate", type=int, nargs="+", default=[10, 2_000, 20_000], help="events a second")
    parser.add_argument("--accounts", type=int, default=1_000, help="accounts, equally busy")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured, after 5 s of warming up")
    parser.add_argument("--pack", action="store_true", help="send envelopes, as a packing producer does")
    chosen = parser.parse_args()
    for latency in measure(chosen.rate, chosen.accounts, chosen.seconds, pack=chosen.pack):
        print(latency, flush=True)


@dataclass(frozen=True, slots=True)
class _Steady:
    """A steady load, measured for ``seconds`` after a warm-up."""

    rate: int
    accounts: int
    seconds: float
    seed: int
    pack: bool


def _measure(deployment: Deployment, load: _Steady, before: int) -> Latency:
    """Send at one rate and return the latencies; *before* is how many events were sent before."""
    sent, seconds = _SentEvents(deployment), _WARM_UP_SECONDS + load.seconds
    topic = deployment.topics.name("usage.events")
    with sender(
        deployment.connection, topic, load.rate, load.accounts, seconds, load.seed, pack=load.pack
    ) as process:
        processes = deployment.processes | {"sender": MeasuredProcess(process.pid)}
        time.sleep(_WARM_UP_SECONDS)
        busy = {name: -one.cpu_seconds() for name, one in processes.items()}
        time.sleep(load.seconds - 0.5)
        busy = {
            name: (spent + processes[name].cpu_seconds()) / (load.seconds - 0.5)
            for name, spent in busy.items()
        }
        paced = Paced.read(process)
    deployment.settle(before + paced.events)
    redis, journal, updates = sent.latencies(paced.began + int(1_000 * _WARM_UP_SECONDS))
    return Latency(
        load.rate,
        load.accounts,
        paced.events,
        updates / load.seconds,
        paced.worst_ms,
        tuple(np.percentile(redis, _PERCENTILES).tolist()),
        tuple(np.percentile(journal, _PERCENTILES).tolist()),
        busy,
    )


class _SentEvents:
    """The events sent from now on, and when each was in the journal and could be read in Redis."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._newest = deployment.newest_update()
        self._usage, self._journal = self._ends("usage.events"), self._ends("account.journal")

    def _ends(self, topic: str) -> list[TopicPartition]:
        name = self._deployment.topics.name(topic)
        offsets = end_offsets(self._deployment.connection, name, range(self._deployment.topics.partitions))
        return [TopicPartition(name, number, end) for number, end in offsets.items()]

    def latencies(self, received_from: int) -> tuple[list[int], list[int], int]:
        """
        Return the milliseconds to Redis and to the journal of each event received from that time on.

        The third result is the number of updates that contain these events.
        """
        scored, journaled = dict(self._scored()), self._journaled()
        redis, journal, envelopes, updates = [], [], Envelopes(), set()
        for record in read_to_end(self._deployment.connection, self._usage):
            nexts, batches = journaled[record.partition]
            sequence, written_at = batches[bisect_right(nexts, record.offset)]
            for event in envelopes.unpack(record.value):
                if (received_at := event["received_at"]) >= received_from:
                    update = event["account_id"], sequence
                    updates.add(update)
                    redis.append(scored[update] - received_at)
                    journal.append(written_at - received_at)
        return redis, journal, len(updates)

    def _scored(self) -> Iterator[tuple[tuple[str, int], int]]:
        """Yield (account, sequence number of a batch), and when Redis had the account's score after it."""
        after = self._newest
        while entries := self._deployment.redis.xrange("bb:updates", min=f"({after}", count=10_000):
            after = entries[-1][0].decode()
            for entry_id, fields in entries:
                if fields[b"kind"] == b"health":
                    yield (
                        (fields[b"account"].decode(), int(fields[b"version"])),
                        int(entry_id.partition(b"-")[0]),
                    )

    def _journaled(self) -> dict[int, tuple[list[int], list[tuple[int, int]]]]:
        """Return by partition the input offset after each batch, and the batch's sequence number and time."""
        found: dict[int, tuple[list[int], list[tuple[int, int]]]] = defaultdict(lambda: ([], []))
        decode = codec("account.journal").decode
        for record in read_to_end(self._deployment.connection, self._journal):
            batch = decode(record.value)
            nexts, batches = found[record.partition]
            nexts += (one.next for one in batch.offsets if one.topic == "usage.events")
            batches.append((batch.sequence, batch.written_at))
        return found


def _percentiles(milliseconds: tuple[float, ...]) -> str:
    names = ("p50", "p95", "p99", "most")
    return "  ".join(f"{name} {value:,.0f} ms" for name, value in zip(names, milliseconds, strict=True))


def _history(deployment: Deployment, accounts: int) -> int:
    """Send the events of the last two months, and return how many they are."""
    chance, at, size = random.Random(0), now(), SIZES[1]
    producer = Producer({**DURABLE, **deployment.connection.librdkafka(), "linger.ms": 20})
    codecs = {RECORDS[topic]: (deployment.topics.name(topic), codec(topic).encode) for topic in INPUT_TOPICS}
    sent = 0
    for number in range(accounts):
        account = f"acct-{number:06d}"
        for event in life(account, size, at, chance):
            for record in _events(event) if isinstance(event, UsageCell) else (event,):
                name, encode = codecs[type(record)]
                producer.produce(name, encode(record), account_key("acme", account))
                sent += 1
        producer.flush()
    return sent


def _events(cell: UsageCell) -> Iterator[UsageEvent]:
    """Yield three usage events of a day."""
    for number in range(3):
        yield UsageEvent(
            event_id=f"{cell.account_id}-{cell.day}-{number}",
            tenant=cell.tenant,
            account_id=cell.account_id,
            source="bench-history",
            occurred_at=cell.first_at,
            received_at=cell.first_at,
            user_id=f"user-{(3 * cell.day + number) % 25:02d}",
            name="Report Exported",
            feature=cell.features[number % len(cell.features)],
            duration_ms=1_200,
        )


if __name__ == "__main__":
    main()
