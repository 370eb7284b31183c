"""Sender of usage events at a steady rate, as a product team's producer would send them."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Self

from confluent_kafka import Producer

from bellbuoy.times import now
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import partition_of
from schemas.producer_settings import DURABLE
from schemas.records import UsageEvent

__all__ = ["Paced", "send", "sender"]

_TICK_SECONDS = 0.005
_EVENT, _ACCOUNT, _USER, _FEATURE = "#" * 16, "%" * 11, "user-00", "feature 0"


@dataclass(frozen=True, slots=True)
class Paced:
    """The events sent, when sending began and ended (UTC milliseconds), and the sender's worst delay."""

    events: int
    began: int
    ended: int
    worst_ms: float

    @classmethod
    def read(cls, process: subprocess.Popen[bytes]) -> Self:
        """Wait until a ``sender`` has ended and return its result."""
        return cls(**json.loads(process.communicate()[0]))


def send(
    connection: Connection,
    topic: str,
    rate: int,
    accounts: int,
    seconds: float,
    seed: int,
    *,
    pack: bool = False,
) -> Paced:
    """
    Send ``rate`` events a second for ``seconds``; the time of receipt of an event is when it is sent.

    The account, person and feature of an event depend on ``seed`` alone. With ``pack`` the events of a
    partition that are due at a time, every 5 ms, are sent as one envelope.
    """
    chance, encode, envelopes = random.Random(seed), codec("usage.events").encode, Envelopes()
    producer = Producer(
        {
            **DURABLE,
            **connection.librdkafka(),
            "compression.type": "lz4",
        }
    )
    partitions = len(producer.list_topics(topic, timeout=10).topics[topic].partitions)
    placed = lru_cache(None)(partial(partition_of, partitions=partitions))
    began, sent, worst = time.monotonic(), 0, 0.0
    first = now()
    while (past := time.monotonic() - began) < seconds:
        at = now()
        template = encode(_event(at))
        packed: dict[int, list[bytes]] = defaultdict(list)
        for number in range(sent, int(past * rate)):
            account = b"acct-%06d" % chance.randrange(accounts)
            value = template.replace(_EVENT.encode(), b"%016x" % (seed << 32 | number))
            value = value.replace(_ACCOUNT.encode(), account)
            value = value.replace(_USER.encode(), b"user-%02d" % chance.randrange(25))
            value = value.replace(_FEATURE.encode(), b"feature %d" % chance.randrange(8))
            key = b"acme:" + account
            if pack:
                packed[placed(key)].append(value)
            else:
                producer.produce(topic, value, key)
        for partition, values in packed.items():
            for value, _ in envelopes.pack(values):
                producer.produce(topic, value, None, partition)
        sent = max(sent, int(past * rate))
        producer.poll(0)
        worst = max(worst, time.monotonic() - began - past)
        time.sleep(_TICK_SECONDS)
    producer.flush()
    return Paced(sent, first, now(), 1000 * worst)


def sender(
    connection: Connection, topic: str, rate: int, accounts: int, seconds: float, seed: int, *, pack: bool
) -> subprocess.Popen[bytes]:
    """Start ``send`` in a process of its own; ``Paced.read`` returns its result."""
    command = [sys.executable, "-m", "bench.workload.paced", str(connection), topic]
    command += [f"--rate={rate}", f"--accounts={accounts}", f"--seconds={seconds}", f"--seed={seed}"]
    return subprocess.Popen([*command, *["--pack"] * pack], stdout=subprocess.PIPE)


def _event(at: int) -> UsageEvent:
    return UsageEvent(
        event_id=_EVENT,
        tenant="acme",
        account_id=_ACCOUNT,
        source="bench",
        occurred_at=at,
        received_at=at,
        user_id=_USER,
        name="Report Exported",
        feature=_FEATURE,
        duration_ms=1_200,
    )


def main() -> None:
    """Send, and print the result as JSON."""
    parser = argparse.ArgumentParser(prog="bench.workload.paced", description="Usage at a steady rate.")
    parser.add_argument("connection", type=Connection, metavar="bootstrap")
    parser.add_argument("topic")
    for name, kind in (("rate", int), ("accounts", int), ("seconds", float), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--pack", action="store_true")
    print(json.dumps(asdict(send(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
