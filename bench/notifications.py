"""
Latency from event to message: how long until a channel hands it over, beside a steady load of usage.

Events that open an alert each are sent while usage of other accounts flows. Kafka's time of a record is that
of its broker: latency is the time of the alert's record, and of the notification's, minus the event's time of
receipt. What lies between the two is the second pass: to the journal, into a batch, and through the worker.
The message is measured where it arrives: at an HTTP receiver on this machine, which a webhook posts to.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from bellbuoy.operations.changes.policies import put_policy_in_force
from bellbuoy.settings import load
from bellbuoy.times import now
from bench.processes.deployment import Deployment, deployed
from bench.workload.paced import Paced, sender
from processors.owners.policy import load_policy
from schemas.codec.record_codec import codec
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.producer_settings import DURABLE
from schemas.records import BillingEvent

__all__ = ["NotificationLatency", "measure"]

_AT_ONCE = """
policy: at-once
version: 1
everybody: {budget: 1000}
digest: {only: []}
storms: {accounts: 1000000, wait: 0}
"""
_PERCENTILES = (50, 95, 99, 100)
_WARM_UP_SECONDS = 5.0
_ARRIVAL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class NotificationLatency:
    """
    Milliseconds from an event's receipt to its alert, to its notification and to its message.

    ``load`` is the machine's load average of the last minute.
    """

    rate: int
    alerts: int
    alert: tuple[float, ...]
    notification: tuple[float, ...]
    second_pass: tuple[float, ...]
    message: tuple[float, ...]
    load: float

    def __str__(self) -> str:
        rows = {
            "event to alert": self.alert,
            "event to notification": self.notification,
            "the second pass": self.second_pass,
            "event to message": self.message,
        }
        lines = [f"{self.rate:,} usage events/s, {self.alerts:,} alerts, load {self.load:.1f}"]
        for name, values in rows.items():
            shown = "  ".join(
                f"p{percent} {value:,.0f} ms" for percent, value in zip(_PERCENTILES, values, strict=True)
            )
            lines.append(f"  {name:<22} {shown}")
        return "\n".join(lines)


def measure(rate: int, alerts_per_s: float, seconds: float) -> NotificationLatency:
    """Send usage at a steady rate, and events that open an alert each, and return the latencies."""
    with _receiver() as (url, arrived), deployed(_channel(url)) as deployment:
        kafka = {"bootstrap": deployment.connection.bootstrap, "topic_prefix": deployment.topics.prefix}
        put_policy_in_force(load(kafka=kafka), load_policy(_AT_ONCE), tenant=ALL_TENANTS, author="bench")
        usage = deployment.topics.name("usage.events")
        span = seconds + _WARM_UP_SECONDS
        with sender(deployment.connection, usage, rate, 1_000, span, 1, pack=False) as process:
            time.sleep(_WARM_UP_SECONDS)
            received = _send_failures(deployment, alerts_per_s, seconds)
            sent = Paced.read(process).events
        deployment.settle(sent + len(received) + deployment.topics.partitions)
        alerts, notifications = (
            _first_times(deployment, topic) for topic in ("risk.alerts", "alert.notifications")
        )
        accounts = [one for one in received if one in notifications]
        if len(accounts) != len(received):
            raise RuntimeError(f"{len(received) - len(accounts)} alerts led to no notification")
        _await_messages(arrived, len(accounts))
        return NotificationLatency(
            rate,
            len(accounts),
            _percentiles([alerts[one] - received[one] for one in accounts]),
            _percentiles([notifications[one] - received[one] for one in accounts]),
            _percentiles([notifications[one] - alerts[one] for one in accounts]),
            _percentiles([arrived[one] - received[one] for one in accounts]),
            os.getloadavg()[0],
        )


def _channel(url: str) -> dict[str, Any]:
    signed = {"secret": f"whsec_{base64.b64encode(bytes(24)).decode()}", "internal": True}
    return {"channels": {"bench": {"type": "webhook", "url": url, **signed}}}


@contextmanager
def _receiver() -> Iterator[tuple[str, dict[str, int]]]:
    """Run an HTTP receiver; yield its address, and when the first message of each account arrived."""
    arrived: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at, body = now(), self.rfile.read(int(self.headers["content-length"]))
            for alert in json.loads(body)["data"]["alerts"]:
                arrived.setdefault(alert["account_id"], at)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", arrived
    finally:
        server.shutdown()
        server.server_close()


def _await_messages(arrived: dict[str, int], count: int) -> None:
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while len(arrived) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{count - len(arrived)} messages did not arrive in {_ARRIVAL_SECONDS:.0f} s")
        time.sleep(0.1)


def _send_failures(deployment: Deployment, per_s: float, seconds: float) -> dict[str, int]:
    """Send a failed payment of one account after the other; return when each was received."""
    topics, encode = deployment.topics, codec("billing.events").encode
    producer = Producer({**DURABLE, **deployment.connection.librdkafka(), "linger.ms": 0})
    received: dict[str, int] = {}
    began = time.monotonic()
    for number in range(int(per_s * seconds)):
        time.sleep(max(0.0, began + number / per_s - time.monotonic()))
        account, at = f"payer-{number:06d}", now()
        event = BillingEvent(
            event_id=account,
            tenant="acme",
            account_id=account,
            source="bench",
            occurred_at=at,
            received_at=at,
            kind="payment_failed",
            invoice_id="in",
        )
        key = account_key("acme", account)
        producer.produce(
            topics.name("billing.events"), encode(event), key, partition_of(key, topics.partitions)
        )
        producer.poll(0)
        received[account] = at
    producer.flush()
    return received


def _first_times(deployment: Deployment, topic: str) -> dict[str, int]:
    """Return when the first record of each account was appended to a topic, UTC milliseconds."""
    name, decode = deployment.topics.name(topic), codec(topic).decode
    consumer = Consumer(
        {
            **deployment.connection.librdkafka(),
            "group.id": "bench-notifications",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(name, number, 0) for number in range(deployment.topics.partitions)])
    times: dict[str, int] = {}
    ended: set[int] = set()
    while len(ended) < deployment.topics.partitions:
        message = consumer.poll(10)
        if message is None:
            raise RuntimeError(f"{name} can't be read to its end")
        if message.error():
            ended.add(message.partition() or 0)
            continue
        if (value := message.value()) is None:
            continue
        record = decode(value)
        for alert in getattr(record, "alerts", [record]):
            times.setdefault(alert.account_id, message.timestamp()[1])
    consumer.close()
    return times


def _percentiles(values: list[int]) -> tuple[float, ...]:
    return tuple(np.percentile(values, _PERCENTILES).tolist())


def main() -> None:
    """Print the latencies of each rate."""
    parser = argparse.ArgumentParser(prog="bench.notifications", description="Event to notification.")
    parser.add_argument("--rate", type=int, nargs="+", default=[10, 2_000], help="usage events a second")
    parser.add_argument("--alerts", type=float, default=20.0, help="alerts that open a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured, after 5 s of warming up")
    chosen = parser.parse_args()
    for rate in chosen.rate:
        print(measure(rate, chosen.alerts, chosen.seconds), flush=True)


if __name__ == "__main__":
    main()
