"""
From event to Redis: how long until a received event's score can be read, at steady rates.

The journal, the worker and delivery run as processes with their default settings, on a real Kafka and a
real Redis, all on this machine with the sender. Accounts begin with two months of life. An update's
latency is its id on Redis's update stream, which is Redis's own clock, less the time at which the oldest
event in it was received.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Producer

from bellbuoy import topics as admin
from bellbuoy.embedded import Kafka, Redis
from bellbuoy.ledger import positions
from bench.accounts import SIZES, life
from bench.paced import Paced
from bench.roles import Role, running
from schemas.codec import RECORDS, codec
from schemas.keys import PARTITIONER, account_key
from schemas.records import UsageCell, UsageEvent
from schemas.topics import INPUTS, Topics
from sinks.redis import connect
from sinks.settings import RedisSettings

__all__ = ["main"]

_WARM_SECONDS = 5.0
_DRAIN_SECONDS = 120.0
_UPDATES = 2_000_000


@dataclass(frozen=True, slots=True)
class _Deployment:
    bootstrap: str
    topics: Topics
    redis: Any
    roles: dict[str, Role]


def main() -> None:
    """Start everything, send at each rate in turn, print a line for each."""
    parser = argparse.ArgumentParser(prog="bench.latency", description="Event to Redis at steady rates.")
    parser.add_argument("--rate", type=int, nargs="+", default=[10, 2_000, 20_000], help="events a second")
    parser.add_argument("--accounts", type=int, default=1_000, help="accounts, equally busy")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured, after 5 s of warming up")
    parser.add_argument("--pack", action="store_true", help="send envelopes, as a packing producer does")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as folder, ExitStack() as stack:
        deployment = _start(Path(folder), stack)
        sent = _history(deployment, chosen.accounts)
        _settle(deployment, sent)
        for number, rate in enumerate(chosen.rate):
            sent = _measure(deployment, rate, chosen, seed=number + 1, before=sent)


def _measure(deployment: _Deployment, rate: int, chosen: argparse.Namespace, seed: int, before: int) -> int:
    """Send at one rate, print what it took, and return how many events there have been by then."""
    since, seconds = _newest(deployment), _WARM_SECONDS + chosen.seconds
    command = [
        sys.executable,
        "-m",
        "bench.paced",
        deployment.bootstrap,
        deployment.topics.name("usage.events"),
    ]
    command += [f"--rate={rate}", f"--accounts={chosen.accounts}", f"--seconds={seconds}", f"--seed={seed}"]
    command += ["--pack"] * chosen.pack
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sender:
        roles = deployment.roles | {"sender": Role(sender.pid)}
        time.sleep(_WARM_SECONDS)
        busy = {name: -role.cpu_seconds() for name, role in roles.items()}
        time.sleep(chosen.seconds - 0.5)
        busy = {
            name: (spent + roles[name].cpu_seconds()) / (chosen.seconds - 0.5) for name, spent in busy.items()
        }
        paced = Paced(**json.loads(sender.communicate()[0]))
    _settle(deployment, before + paced.events)
    latencies, journal = _latencies(deployment, since, paced.began + int(1_000 * _WARM_SECONDS))
    print(
        f"{rate:,} events/s over {chosen.accounts:,} accounts, {paced.events:,} sent, "
        f"{len(latencies) / chosen.seconds:,.0f} updates/s, sender late by {paced.worst_ms:.0f} ms at most"
    )
    print(f"  event to Redis    {_percentiles(latencies)}")
    print(f"  event to journal  {_percentiles(journal)}")
    print(
        "  cores busy        " + ", ".join(f"{name} {cores:.2f}" for name, cores in busy.items()), flush=True
    )
    return before + paced.events


def _latencies(deployment: _Deployment, after: str, received_from: int) -> tuple[list[int], list[int]]:
    """Return the milliseconds to Redis and to the journal of each update of events received from then on."""
    redis, journal = [], []
    while entries := deployment.redis.xrange("bb:updates", min=f"({after}", count=10_000):
        after = entries[-1][0].decode()
        for entry_id, fields in entries:
            received_at = int(fields[b"received_at"] or 0)
            if fields[b"kind"] == b"health" and received_at >= received_from:
                redis.append(int(entry_id.partition(b"-")[0]) - received_at)
                journal.append(int(fields[b"as_of"]) - received_at)
    return redis, journal


def _percentiles(milliseconds: list[int]) -> str:
    found = np.percentile(milliseconds, [50, 95, 99, 100])
    return "  ".join(
        f"{name} {value:,.0f} ms" for name, value in zip(("p50", "p95", "p99", "most"), found, strict=True)
    )


def _start(folder: Path, stack: ExitStack) -> _Deployment:
    kafka, redis = Kafka(folder / "kafka"), Redis(folder / "redis")
    for server in (kafka, redis):
        stack.callback(server.stop)
        server.start()
    topics = Topics(prefix=f"bench-{uuid.uuid4().hex[:6]}-")
    admin.create(kafka.bootstrap, topics)
    settings = {"BELLBUOY_REDIS__URL": redis.url, "BELLBUOY_REDIS__UPDATES": str(_UPDATES)}
    roles = {"kafka": Role(kafka.child.pid), "redis": Role(redis.child.pid)}
    for role in ("deliver", "worker", "journal"):
        roles[role] = stack.enter_context(running(role, kafka.bootstrap, topics, folder, settings))
    return _Deployment(kafka.bootstrap, topics, connect(RedisSettings(url=redis.url)), roles)


def _history(deployment: _Deployment, accounts: int) -> int:
    """Send what happened in the two months before, and return how many events that is."""
    chance, now, size = random.Random(0), time.time_ns() // 1_000_000, SIZES[1]
    producer = Producer(
        {"bootstrap.servers": deployment.bootstrap, "partitioner": PARTITIONER, "linger.ms": 20}
    )
    codecs = {RECORDS[topic]: (deployment.topics.name(topic), codec(topic).encode) for topic in INPUTS}
    sent = 0
    for number in range(accounts):
        account = f"acct-{number:06d}"
        for event in life(account, size, now, chance):
            for one in _events(event) if isinstance(event, UsageCell) else (event,):
                name, encode = codecs[type(one)]
                producer.produce(name, encode(one), account_key("acme", account))
                sent += 1
        producer.flush()
    return sent


def _events(cell: UsageCell) -> Iterator[UsageEvent]:
    """Yield three events of a day's usage."""
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


def _settle(deployment: _Deployment, applied: int) -> None:
    """Wait until so many events are in the state, and Redis has had nothing new for a second."""
    deadline, quiet_since, newest = time.monotonic() + _DRAIN_SECONDS, time.monotonic(), ""
    found = 0
    while time.monotonic() - quiet_since < 1:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not {applied:,} events but {found:,} were applied in {_DRAIN_SECONDS:.0f} s")
        found = sum(p.applied for p in positions(deployment.bootstrap, deployment.topics).values())
        last = _newest(deployment)
        if found < applied or last != newest:
            quiet_since, newest = time.monotonic(), last
        time.sleep(0.1)
    if found != applied:
        raise RuntimeError(f"{found:,} events were applied of {applied:,} sent")


def _newest(deployment: _Deployment) -> str:
    entries = deployment.redis.xrevrange("bb:updates", count=1)
    return entries[0][0].decode() if entries else "0"


if __name__ == "__main__":
    main()
