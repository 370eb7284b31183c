"""Usage events at a steady rate, as a producer of a product team would send them."""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict, dataclass

from confluent_kafka import Producer

from schemas.codec import codec
from schemas.keys import PARTITIONER
from schemas.records import UsageEvent

__all__ = ["Paced", "send"]

_TICK_SECONDS = 0.005
_EVENT, _ACCOUNT, _USER, _FEATURE = "#" * 16, "%" * 11, "user-00", "feature 0"


@dataclass(frozen=True, slots=True)
class Paced:
    """What was sent, between which moments (UTC milliseconds), and how late the sender was at worst."""

    events: int
    began: int
    ended: int
    worst_ms: float


def send(bootstrap: str, topic: str, rate: int, accounts: int, seconds: float, seed: int) -> Paced:
    """
    Send ``rate`` events a second for so long; each is received when it is sent.

    Which account, person and feature an event is about depends on ``seed`` alone.
    """
    chance, encode = random.Random(seed), codec("usage.events").encode
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": PARTITIONER,
            "compression.type": "lz4",
            "enable.idempotence": True,
        }
    )
    producer.list_topics(topic, timeout=10)
    began, sent, worst = time.monotonic(), 0, 0.0
    first = time.time_ns() // 1_000_000
    while (past := time.monotonic() - began) < seconds:
        at = time.time_ns() // 1_000_000
        template = encode(_event(at))
        for number in range(sent, int(past * rate)):
            account = b"acct-%06d" % chance.randrange(accounts)
            value = template.replace(_EVENT.encode(), b"%016x" % (seed << 32 | number))
            value = value.replace(_ACCOUNT.encode(), account)
            value = value.replace(_USER.encode(), b"user-%02d" % chance.randrange(25))
            value = value.replace(_FEATURE.encode(), b"feature %d" % chance.randrange(8))
            producer.produce(topic, value, b"acme:" + account)
        sent = max(sent, int(past * rate))
        producer.poll(0)
        worst = max(worst, time.monotonic() - began - past)
        time.sleep(_TICK_SECONDS)
    producer.flush()
    return Paced(sent, first, time.time_ns() // 1_000_000, 1000 * worst)


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
    """Send and print what was sent, as JSON."""
    parser = argparse.ArgumentParser(prog="bench.paced", description="Usage events at a steady rate.")
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    for name, kind in (("rate", int), ("accounts", int), ("seconds", float), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    print(json.dumps(asdict(send(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
