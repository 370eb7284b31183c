"""Checks of a deployment: whether Kafka, its topics and every sink are there and right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import KafkaException

from bellbuoy.errors import ConfigError
from bellbuoy.exit_codes import AWAY, CONFIGURATION, FAILED, LOG_CHANGED, OK
from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.operations.kafka.errors import KafkaAwayError, not_allowed
from bellbuoy.operations.kafka.log_checks import log_faults
from bellbuoy.operations.kafka.open_transactions import open_transactions
from bellbuoy.operations.kafka.topics import topic_advice, topic_faults
from bellbuoy.settings import Settings
from sinks.notify.sink import ChannelSink
from sinks.port import Sink, SinkError, SinkSettingsError
from streams.kafka.errors import NOT_ALLOWED

__all__ = ["CheckFailure", "check_deployment", "check_sinks"]


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """Something that is wrong with a deployment; ``code`` is the exit code for it, OK for mere advice."""

    area: str
    message: str
    code: int


def check_deployment(settings: Settings) -> list[CheckFailure]:
    """Return everything that is wrong; an empty list when all is well."""
    return [*_kafka(settings), *check_sinks(settings)]


def _kafka(settings: Settings) -> Iterator[CheckFailure]:
    try:
        for fault in topic_faults(settings.kafka.connection(), settings.kafka.topics()):
            yield CheckFailure("topics", fault, FAILED)
        for fault in log_faults(settings, _known_sinks(settings)):
            yield CheckFailure("logs", fault, LOG_CHANGED)
        for advice in topic_advice(settings.kafka.connection(), settings.kafka.topics()):
            yield CheckFailure("topics", advice, OK)
        for told in open_transactions(settings.kafka.connection(), settings.kafka.topics()):
            yield CheckFailure("inputs", told, FAILED)
    except KafkaAwayError as error:
        yield CheckFailure("kafka", str(error), error.exit_code)
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() in NOT_ALLOWED:
            yield CheckFailure("kafka", not_allowed(reason), CONFIGURATION)
        else:
            yield CheckFailure("kafka", f"the topics can't be read: {reason.str()}", AWAY)


def _known_sinks(settings: Settings) -> list[Sink]:
    try:
        return sinks(settings)
    except ConfigError:  # told by the check of the sinks
        return []


def check_sinks(settings: Settings, name: str | None = None) -> Iterator[CheckFailure]:
    """Open every sink, or the one of this name, which does what every write will do; yield what is wrong."""
    try:
        opened = sinks(settings)
    except ConfigError as error:
        yield CheckFailure("sinks", str(error), CONFIGURATION)
        return
    for sink in opened:
        if name not in (None, sink.name):
            continue
        with closing(sink):
            try:
                sink.open()
                if isinstance(sink, ChannelSink):
                    sink.check()
            except SinkSettingsError as error:
                yield CheckFailure(sink.name, str(error), CONFIGURATION)
            except SinkError as error:
                yield CheckFailure(sink.name, str(error), AWAY)
