"""
Error codes of Kafka, classified by what they say, and the error that ends a fenced producer.

librdkafka's own codes begin with an underscore; its client gives them no public names.
"""
# ruff: noqa: SLF001

from __future__ import annotations

from confluent_kafka import KafkaError

__all__ = [
    "ALL_BROKERS_DOWN",
    "BROKER_AWAY",
    "END_OF_PARTITION",
    "EXPIRED",
    "FATAL",
    "FENCED",
    "LEADER_UNKNOWN",
    "LOGIN_REFUSED",
    "NOT_ALLOWED",
    "NOT_DELIVERED",
    "OFFSET_GONE",
    "TIMED_OUT",
    "TLS_FAILED",
    "TOPIC_UNKNOWN",
    "WRONG_STATE",
    "FencedError",
    "LogChangedError",
    "ProducerExpiredError",
]

END_OF_PARTITION = KafkaError._PARTITION_EOF
"""Not an error: the consumer has read a partition to its present end."""

OFFSET_GONE = KafkaError._AUTO_OFFSET_RESET
"""The log has no such offset, or lost what was before it, and the consumer was told not to choose another."""

FATAL = KafkaError._FATAL
"""The client can't be used any more; the code does not say why."""

WRONG_STATE = KafkaError._STATE
"""The client can't do this now, in a transaction because that has failed; the code does not say why."""

TIMED_OUT = KafkaError._TIMED_OUT
"""The client waited for an answer in vain."""

ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN
"""The client has lost its last connection."""

LOGIN_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
"""The broker doesn't take the user name and password, or not in this way."""

NOT_ALLOWED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""The cluster's ACLs don't let this user do that."""

TLS_FAILED = KafkaError._SSL
"""Client and broker can't agree on TLS, as where the broker's certificate isn't trusted."""

BROKER_AWAY = frozenset({ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, TIMED_OUT})
"""No broker answers; the client reconnects by itself."""

TOPIC_UNKNOWN = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
)
"""There is no such topic or partition, or the broker does not know it yet."""

NOT_DELIVERED = KafkaError._INCONSISTENT
"""Records of a transaction were not delivered, as when their topic was missing; the code does not say why."""

LEADER_UNKNOWN = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError._UNKNOWN_PARTITION,  # also of a partition that exists
    }
)
"""The partition has no leader for a moment: its topic was made just now, or a broker has just come back."""

FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
    }
)
"""Another producer with the same transactional id has taken over."""


EXPIRED = frozenset({KafkaError.INVALID_PRODUCER_ID_MAPPING, KafkaError.UNKNOWN_PRODUCER_ID})
"""Kafka has forgotten the transactional id, which was not used for long, or another producer has it now."""


class ProducerExpiredError(Exception):
    """
    Kafka has forgotten this producer; nothing of the open transaction was committed.

    Whether the partition is still ours is not known, so it must be taken over again.
    """


class FencedError(Exception):
    """Another process owns this partition now; no reader will see anything of the open transaction."""


class LogChangedError(Exception):
    """
    A topic is not the log any more that positions and states were taken from; going on would be wrong.

    Operator action: run the command that the message names. A restart alone doesn't help.
    """
