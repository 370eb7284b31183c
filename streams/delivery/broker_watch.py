"""Watch on the broker of one sink's consumer: does it answer, are the topics there, how large is the lag."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.delivery.metrics import LAG
from streams.delivery.subscription import Subscription
from streams.kafka.errors import ALL_BROKERS_DOWN, BROKER_AWAY, TOPIC_UNKNOWN
from streams.kafka.log_position import LogPosition, Part
from streams.runtime.errors import DeliveryError
from streams.runtime.health import Health

__all__ = ["BrokerWatch"]

_LOOK_SECONDS = 1.0
"""Time between two looks."""
_QUIET_SECONDS = 3.0
"""A broker that sent nothing for so long is asked whether it is there."""
_ASK_SECONDS = 10.0
"""Time between two questions for the topics to a quiet broker."""
_ANSWER_SECONDS = 1.0
"""How long the answer to a question may take."""

_HOPELESS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


class BrokerWatch:
    """
    Keeps the readiness condition ``kafka`` and the lag metric of one sink.

    librdkafka reports only sometimes that its brokers are gone, so a quiet broker is asked.
    """

    def __init__(self, subscription: Subscription, health: Health) -> None:
        self.away = False
        self._subscription = subscription
        self._health = health
        self._log = structlog.get_logger(__name__).bind(sink=subscription.sink)
        self._topics_in_doubt = False
        self._looked_at = self._asked_at = 0.0
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Note that the broker sent a record."""
        self._heard_at = time.monotonic()

    def trouble(self, error: KafkaError) -> None:
        """Take an error of the client: the consumer's ``error_cb``."""
        self._log.debug("Kafka's client reports an error.", error=error.str())
        self._topics_in_doubt = self._topics_in_doubt or error.code() in TOPIC_UNKNOWN
        if error.code() == ALL_BROKERS_DOWN:
            self._lost(error)

    def refused(self, error: KafkaError) -> None:
        """Take an error in place of a record; raise DeliveryError when it won't pass by itself."""
        if error.fatal() or error.code() in _HOPELESS:
            raise DeliveryError(f"delivery to {self._subscription.sink} can't read its topics: {error.str()}")
        self.trouble(error)

    def look(
        self,
        consumer: Consumer,
        owned: Collection[Part],
        written: Mapping[Part, LogPosition],
        ends: Mapping[Part, int],
        idle: bool,
    ) -> None:
        """
        Set the lag and the readiness, about once a second; ``written`` is where to write next.

        ``ends`` are those of the logs as another client last saw them, so that a partition that this one does
        not fetch lags, too. An ``idle`` member fetches nothing, so the broker is asked for the ends. Raises
        DeliveryError when a topic is gone.
        """
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        quiet = now - self._heard_at > _QUIET_SECONDS
        if self._topics_in_doubt or (quiet and now - self._asked_at > _ASK_SECONDS):
            self._ask_for_topics(consumer)
        for number, part in enumerate(owned):
            ask = idle or self.away or (quiet and number == 0)
            try:
                low, high = self._ends(consumer, TopicPartition(*part), ask)
            except KafkaException as error:
                self._topics_in_doubt = self._topics_in_doubt or error.args[0].code() in TOPIC_UNKNOWN
                if error.args[0].code() in BROKER_AWAY:
                    self._lost(error.args[0])
                return
            high = max(high, ends.get(part, high))
            at = written.get(part)
            begin = low if at is None else at.offset
            if begin >= 0 and high >= 0:
                self._set_lag(part, max(0, high - begin))

    def forget(self, parts: Iterable[Part]) -> None:
        """Report no lag of partitions that other members own now."""
        for part in parts:
            self._set_lag(part, 0)

    def _set_lag(self, part: Part, records: int) -> None:
        topic, number = part
        LAG.labels(self._subscription.sink, self._subscription.deployment.plain(topic), number).set(records)

    def _ends(self, consumer: Consumer, part: TopicPartition, ask: bool) -> tuple[int, int]:
        if not ask:
            ends: tuple[int, int] = consumer.get_watermark_offsets(part, cached=True)
            return ends
        ends = consumer.get_watermark_offsets(part, timeout=_ANSWER_SECONDS)
        self.heard()
        if self.away:
            self.away = False
            self._health.set_condition("kafka", True)
            self._log.info("Kafka is back.")
        return ends

    def _lost(self, error: KafkaError) -> None:
        if not self.away:
            self.away = True
            self._health.set_condition("kafka", False, error.str())
            self._log.warning("Kafka is away.", error=error.str())

    def _ask_for_topics(self, consumer: Consumer) -> None:
        """
        Ask for the topics and raise DeliveryError when one is gone.

        Asked first, because a broker that just started may not have known every topic yet.
        """
        self._topics_in_doubt, self._asked_at = False, time.monotonic()
        try:
            existing = consumer.list_topics(timeout=5.0).topics
        except KafkaException:
            return
        gone = sorted(name for name in self._subscription.names if name not in existing)
        if gone:
            raise DeliveryError(
                f"no topic {', '.join(gone)} on the broker any more: run `bellbuoy topics create`"
            )
