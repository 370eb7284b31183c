"""Delivery run inside a test, and a producer that writes outputs for it as the worker does."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, Producer

from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.identity.keys import account_key
from schemas.producer_settings import DURABLE
from schemas.records import AlertNotification
from schemas.topics import Topics
from sinks.port import OUTPUTS, Output, Sink
from streams.delivery.stage import run
from streams.delivery.subscription import Subscription, output_topics
from streams.settings import DeliverySettings

QUICK = DeliverySettings(metrics_port=0, retry_seconds=0.1, session_seconds=6)


def publish(
    bootstrap: Connection,
    topics: Topics,
    outputs: Sequence[Output],
    per_transaction: int = 100,
    transactional_id: str = "",
) -> None:
    """
    Write outputs as the worker does: in transactions, keyed by account.

    A ``transactional_id`` used again ends what is left open of its earlier transactions.
    """
    producer = Producer(
        {
            **DURABLE,
            **bootstrap.librdkafka(),
            "transactional.id": transactional_id or uuid.uuid4().hex,
            "linger.ms": 1,
        }
    )
    producer.init_transactions(30)
    codecs = {record: codec(topic) for record in OUTPUTS for topic in output_topics({record})}
    for start in range(0, len(outputs), per_transaction):
        producer.begin_transaction()
        for output in outputs[start : start + per_transaction]:
            encoder = codecs[type(output)]
            producer.produce(
                topics.name(encoder.topic),
                encoder.encode(output),
                account_key(output.tenant, _key(output)),
            )
        producer.commit_transaction(30)


def _key(output: Output) -> str:
    return output.recipient if isinstance(output, AlertNotification) else output.account_id


@contextmanager
def delivering(
    bootstrap: Connection, topics: Topics, *sinks: Sink, settings: DeliverySettings = QUICK
) -> Iterator[None]:
    """Run delivery in this process; what it raises is raised at the end."""
    stop, failures = threading.Event(), []

    def target() -> None:
        try:
            run(bootstrap, topics, settings, sinks, committed(), stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        # First of all: what delivery raised is why the test's own wait failed.
        for failure in failures:
            raise failure
    assert not thread.is_alive()


def committed_offsets(
    bootstrap: Connection, topics: Topics, sink: Sink
) -> dict[tuple[str, int], tuple[int, int]]:
    """Return (committed, end) of every partition that the sink is subscribed to."""
    subscription = Subscription.of(sink, topics)
    consumer = Consumer({**bootstrap.librdkafka(), "group.id": subscription.group})
    try:
        committed = consumer.committed(subscription.partitions(), timeout=10)
        return {(p.topic, p.partition): (p.offset, consumer.get_watermark_offsets(p)[1]) for p in committed}
    finally:
        consumer.close()


def set_back_offsets(bootstrap: Connection, topics: Topics, sink: Sink, records: int) -> None:
    """Commit offsets that are so many records earlier, as if a kill had come before the last commits."""
    subscription = Subscription.of(sink, topics)
    consumer = Consumer({**bootstrap.librdkafka(), "group.id": subscription.group})
    try:
        committed = consumer.committed(subscription.partitions(), timeout=10)
        for part in committed:
            part.offset = max(0, part.offset - records)
        consumer.commit(offsets=[part for part in committed if part.offset >= 0], asynchronous=False)
    finally:
        consumer.close()


def done(bootstrap: Connection, topics: Topics, sink: Sink) -> bool:
    """Whether everything on the sink's topics was written to it and committed."""
    try:
        offsets = committed_offsets(bootstrap, topics, sink).values()
    except KafkaException:  # fresh topics may have no leader yet
        return False
    return all(committed == end or (committed < 0 and end == 0) for committed, end in offsets)
