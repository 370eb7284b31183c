"""What a consumer knows of its broker: does it answer, are the topics there, how far behind is it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.topics import Topics
from streams.delivery.metrics import LAG
from streams.runtime.errors import DeliveryError
from streams.runtime.health import Health

__all__ = ["BrokerWatch"]

_LOOK_SECONDS = 1.0
_QUIET_SECONDS = 3.0
_ASK_SECONDS = 10.0
_ANSWER_SECONDS = 1.0

# librdkafka's own codes have no public names.
_AWAY = (
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
)
_NO_TOPIC = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
)
_HOPELESS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


class BrokerWatch:
    """
    Keeps the readiness condition ``kafka`` and the lag of one sink.

    librdkafka says only sometimes that its brokers are gone, so a quiet broker is asked.
    """

    def __init__(self, sink: str, topics: Topics, names: Sequence[str], vitals: Health) -> None:
        self.away = False
        self._sink = sink
        self._topics = topics
        self._names = names
        self._vitals = vitals
        self._log = structlog.get_logger(__name__).bind(sink=sink)
        self._topics_in_doubt = False
        self._looked_at = self._asked_at = 0.0
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Note that the broker sent something."""
        self._heard_at = time.monotonic()

    def trouble(self, error: KafkaError) -> None:
        """Take an error of the client: its ``error_cb``."""
        self._log.debug("Kafka has trouble.", error=error.str())
        self._topics_in_doubt = self._topics_in_doubt or error.code() in _NO_TOPIC
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self._lost(error)

    def refused(self, error: KafkaError) -> None:
        """Take an error in place of a record; raise DeliveryError when it will not pass by itself."""
        if error.fatal() or error.code() in _HOPELESS:
            raise DeliveryError(f"delivery to {self._sink} can't read its topics: {error.str()}")
        self.trouble(error)

    def look(self, consumer: Consumer, written: Mapping[tuple[str, int], int], paused: bool) -> None:
        """
        About once a second, set the lag and the readiness; ``written`` is the offset after the last write.

        Paused partitions are not fetched, so the broker is asked how far they grew. Raises DeliveryError
        when a topic is gone.
        """
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        quiet = now - self._heard_at > _QUIET_SECONDS
        if self._topics_in_doubt or (quiet and now - self._asked_at > _ASK_SECONDS):
            self._ask_for_topics(consumer)
        parts = consumer.assignment()
        for number, part in enumerate(parts):
            ask = paused or self.away or (quiet and number == 0)
            try:
                low, high = self._ends(consumer, part, ask)
            except KafkaException as error:
                self._topics_in_doubt = self._topics_in_doubt or error.args[0].code() in _NO_TOPIC
                if error.args[0].code() in _AWAY:
                    self._lost(error.args[0])
                return
            if high >= 0:
                behind = high - written.get((part.topic, part.partition), low)
                LAG.labels(self._sink, self._topics.plain(part.topic), part.partition).set(max(0, behind))

    def forget(self, parts: Sequence[TopicPartition]) -> None:
        """Report no lag of partitions that others own now."""
        for part in parts:
            LAG.labels(self._sink, self._topics.plain(part.topic), part.partition).set(0)

    def _ends(self, consumer: Consumer, part: TopicPartition, ask: bool) -> tuple[int, int]:
        if not ask:
            ends: tuple[int, int] = consumer.get_watermark_offsets(part, cached=True)
            return ends
        ends = consumer.get_watermark_offsets(part, timeout=_ANSWER_SECONDS)
        self.heard()
        if self.away:
            self.away = False
            self._vitals.set_condition("kafka", True)
            self._log.info("Kafka is back.")
        return ends

    def _lost(self, error: KafkaError) -> None:
        if not self.away:
            self.away = True
            self._vitals.set_condition("kafka", False, error.str())
            self._log.warning("Kafka is away.", error=error.str())

    def _ask_for_topics(self, consumer: Consumer) -> None:
        """Ask before giving up: a broker that just started may not know every topic yet."""
        self._topics_in_doubt, self._asked_at = False, time.monotonic()
        try:
            known = consumer.list_topics(timeout=5.0).topics
        except KafkaException:
            return
        gone = sorted(name for name in self._names if name not in known)
        if gone:
            raise DeliveryError(
                f"no topic {', '.join(gone)} on the broker any more: run `bellbuoy topics create`"
            )
