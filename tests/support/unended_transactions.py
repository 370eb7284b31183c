"""
A transaction whose end Kafka has left out in a partition, as where that has no leader just then.

Kafka's own order can't be had on purpose. Here a record is written under the transactional id without telling
the coordinator of the partition, which leaves what such an end leaves: a record of a transaction that is over
everywhere but there.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTxnState
from aiokafka.structs import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from schemas.connection import Connection
from tests.support.waiting import until

__all__ = ["leave_unended"]


def leave_unended(
    bootstrap: Connection, transactional_id: str, topic: str, partition: int, key: bytes | None, value: bytes
) -> None:
    """Leave a record in a partition whose transaction has no end there; nobody else has the id meanwhile."""
    _verify_partitions(bootstrap, False)
    try:
        until(
            lambda: asyncio.run(_left(bootstrap, transactional_id, topic, partition, key, value)),
            what="the broker's consent to a record of no known transaction",
        )
    finally:
        _verify_partitions(bootstrap, True)


def _verify_partitions(bootstrap: Connection, wanted: bool) -> None:
    """Have the brokers ask the coordinator, or not, whether a partition belongs to a transaction."""
    entry = ConfigEntry(
        "transaction.partition.verification.enable",
        str(wanted).lower(),
        incremental_operation=AlterConfigOpType.SET,
    )
    resource = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])
    admin = AdminClient(bootstrap.librdkafka())
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)


async def _left(
    bootstrap: Connection, transactional_id: str, topic: str, partition: int, key: bytes | None, value: bytes
) -> bool:
    """Return whether the record was left; a broker still refuses it until the setting has come to it."""
    producer = AIOKafkaProducer(bootstrap_servers=str(bootstrap), transactional_id=transactional_id)
    await producer.start()
    try:
        await producer.begin_transaction()
        transaction = producer._txn_manager
        transaction._txn_partitions.add(TopicPartition(topic, partition))  # as if the coordinator knew it
        try:
            await producer.send_and_wait(topic, value, key, partition)
        except InvalidTxnState:  # there is nothing to abort: the coordinator knows of no transaction
            return False
        transaction.committing_transaction()
        transaction.complete_transaction()
        return True
    finally:
        await producer.stop()
