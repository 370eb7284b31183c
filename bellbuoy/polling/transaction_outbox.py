"""An outbox whose records join one Kafka transaction together with a cursor."""

from __future__ import annotations

from collections.abc import Sequence

from bellbuoy.polling.cursors import CURSORS, StreamCursor, cursor_key, encode_cursor, partition_of_pull
from gateway.outbox.port import OutgoingRecord
from schemas.connection import Connection
from schemas.identity.keys import partition_of
from schemas.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = ["TransactionOutbox"]


class TransactionOutbox:
    """
    Sends the records of a page, and the cursor after it, in one transaction.

    ``cursor`` is set before each ``send``. Opening shuts out whoever asked the same source before.
    """

    cursor: StreamCursor

    def __init__(self, connection: Connection, topics: Topics, transactional_id: str) -> None:
        self._connection, self._topics, self._id = connection, topics, transactional_id
        self._producer: TransactionalProducer | None = None

    async def open(self) -> None:
        """Open the producer; raise FencedError and KafkaException."""
        self._producer = TransactionalProducer(self._connection, self._id)

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """
        Commit records and cursor; raise FencedError, ProducerExpiredError and KafkaException.

        After an error it is unknown whether they are committed: the cursor's topic says so once the outbox is
        opened again.
        """
        producer, topics, cursor = self._producer, self._topics, self.cursor
        assert producer is not None
        producer.begin()
        for record in records:
            producer.produce(
                record.topic, record.value, record.key, partition_of(record.key, topics.partitions)
            )
        place = partition_of_pull(cursor.tenant, cursor.source, topics)
        producer.produce(topics.name(CURSORS), encode_cursor(cursor), cursor_key(cursor), place)
        producer.commit()

    async def ready(self) -> str | None:
        """Return what is missing for a page to be committed."""
        return "not open" if self._producer is None else None

    async def close(self) -> None:
        """Drop the producer; a transaction that is open is aborted when the next one opens."""
        self._producer = None
