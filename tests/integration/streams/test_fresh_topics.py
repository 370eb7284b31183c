"""Records written to topics made a moment ago are all there: docs/adr/0007-one-request-in-flight.md."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.topics import create_topics, delete_topics
from schemas.connection import Connection
from schemas.topics import Topics
from streams.kafka.log_reader import read_to_end
from streams.kafka.transactional_producer import TransactionalProducer

pytestmark = pytest.mark.services


def _missing(bootstrap: Connection) -> int:
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=4)
    create_topics(bootstrap, topics)
    try:
        name, sent = topics.name("account.health"), range(80)
        transactions = TransactionalProducer(bootstrap, uuid.uuid4().hex)
        transactions.begin()
        for number in sent:
            transactions.produce(name, b"x", b"%d" % number, number % 4)
            time.sleep(0.0003)  # several batches a partition
        transactions.commit()
        starts = [TopicPartition(name, partition, 0) for partition in range(4)]
        deadline = time.monotonic() + 10  # the markers of a commit come after its answer
        while True:
            missing = len(sent) - len({record.key for record in read_to_end(bootstrap, starts)})
            if not missing or time.monotonic() > deadline:
                return missing
            time.sleep(0.1)
    finally:
        delete_topics(bootstrap, topics)


def test_what_is_written_to_topics_made_just_now_is_all_there(bootstrap: Connection) -> None:
    with ThreadPoolExecutor(4) as pool:  # brokers are slowest to make logs when there are many to make
        missing = list(pool.map(_missing, [bootstrap] * 16))
    assert missing == [0] * 16
