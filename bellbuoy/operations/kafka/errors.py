"""Errors of a Kafka that doesn't answer or lets nobody in, with what its client alone would not say."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import AWAY, CONFIGURATION
from schemas.connection import Connection
from streams.kafka.errors import ALL_BROKERS_DOWN, LOGIN_REFUSED, NOT_ALLOWED, TLS_FAILED

__all__ = ["KafkaAwayError", "KafkaRefusedError", "kafka_away", "not_allowed"]

_SECONDS = 3.0
_ATTEMPT_SECONDS = 0.2


class KafkaAwayError(OperatorError):
    """
    Kafka doesn't answer.

    Operator action: start Kafka (``bellbuoy up`` starts one), or correct ``kafka.bootstrap`` or
    ``kafka.security_protocol``.
    """

    exit_code = AWAY

    def __init__(self, connection: Connection, reason: object) -> None:
        super().__init__(
            f"Kafka doesn't answer on {connection} ({reason}): start it, or correct kafka.bootstrap "
            f"(BELLBUOY_KAFKA__BOOTSTRAP) or kafka.security_protocol, which is {connection.security_protocol}"
        )


class KafkaRefusedError(KafkaAwayError):
    """
    Kafka is there, but refuses the login, or its certificate isn't trusted.

    Operator action: correct the settings that the message names.
    """

    exit_code = CONFIGURATION

    def __init__(self, message: str) -> None:
        OperatorError.__init__(self, message)


def kafka_away(connection: Connection, reason: KafkaError | str) -> KafkaAwayError:
    """
    Return the error for a Kafka that gave no answer, a KafkaRefusedError where it refused.

    *reason* is what the client said that was not answered. As that hides why it can't connect, another one
    tries, for three seconds at most.
    """
    if isinstance(reason, KafkaError):
        if reason.code() in NOT_ALLOWED:
            return KafkaRefusedError(not_allowed(reason))
        reason = reason.str()
    told = _connection_error(connection)
    if told is None:
        return KafkaAwayError(connection, reason)
    if told.code() in LOGIN_REFUSED and connection.login is not None:
        login = connection.login
        return KafkaRefusedError(
            f"Kafka on {connection} refuses the login of {login.username!r} by {login.mechanism} "
            f"({told.str()}): correct kafka.username, kafka.password (or kafka.password_file) or "
            "kafka.sasl_mechanism"
        )
    if told.code() == TLS_FAILED or "certificate verify failed" in told.str():
        return KafkaRefusedError(
            f"Kafka on {connection} has a certificate that isn't trusted ({told.str()}): set kafka.ca_file "
            "to the cluster's authority, and kafka.bootstrap to names that stand in the certificate"
        )
    return KafkaAwayError(connection, told.str())


def not_allowed(reason: KafkaError) -> str:
    """Return what to do about an error of Kafka's that says that the user may not do this."""
    return (
        f"Kafka does not let this user do that ({reason.str()}): allow it in the cluster's ACLs, as "
        "docs/operations.md lists for each role, or correct kafka.username"
    )


def _connection_error(connection: Connection) -> KafkaError | None:
    """Return the first error in which a new client says why it can't connect, or ``None``."""
    errors: list[KafkaError] = []
    told: dict[str, Any] = {"log_level": 0, "error_cb": errors.append}
    client = AdminClient(connection.librdkafka() | told)
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            client.list_topics(timeout=_ATTEMPT_SECONDS)
        except KafkaException:
            client.poll(0)
        else:
            return None
        telling = [error for error in errors if error.code() != ALL_BROKERS_DOWN]
        refusals = [error for error in telling if error.code() in LOGIN_REFUSED | {TLS_FAILED}]
        if telling:
            return (refusals or telling)[0]
    return None
