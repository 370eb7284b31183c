"""The list of who was erased, as it stands on the compacted topic ``erased.subjects``."""

from __future__ import annotations

from threading import Lock

import msgspec

from schemas.connection import Connection
from schemas.identity.erasures import NOBODY, Erasure, Erasures, decode_erasure
from schemas.topics import Topics
from streams.kafka.compacted_topic import CompactedTopicFollower

__all__ = ["ErasureLog"]


class ErasureLog:
    """
    Reader of the list; ``current`` is what it read so far, and any thread may ask for it.

    An entry is written before the erasure itself, so whoever has seen the erasure and then catches up knows
    the entry, too.
    """

    def __init__(self, connection: Connection, topics: Topics) -> None:
        self.current: Erasures = NOBODY
        self._entries: dict[bytes, Erasure] = {}
        self._unpublished = False
        self._lock = Lock()
        self._follower = CompactedTopicFollower(
            connection, topics.name("erased.subjects"), topics.partitions, self._take
        )

    def look(self) -> None:
        """Take what has arrived meanwhile, without waiting; errors show when it must catch up."""
        with self._lock:
            self._follower.look()
            self._publish()

    def catch_up(self) -> None:
        """Read the list to its present end; raise KafkaException."""
        with self._lock:
            try:
                self._follower.catch_up()
            finally:
                self._publish()

    def close(self) -> None:
        """Close the client."""
        self._follower.close()

    def _take(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            return
        try:
            self._entries[key] = decode_erasure(value)
        except msgspec.DecodeError:
            return  # not ours
        self._unpublished = True

    def _publish(self) -> None:
        if self._unpublished:  # a copy of the whole list
            self._unpublished = False
            self.current = Erasures(dict(self._entries))
