"""Checks of a deployment: whether Kafka, its topics and every sink are there and right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import KafkaException

from bellbuoy.exit_codes import AWAY, CONFIGURATION, FAILED
from bellbuoy.operations import topics as admin
from bellbuoy.operations.sinks import sinks
from bellbuoy.settings import ConfigError, Settings
from sinks.port import SinkError, SinkSettingsError

__all__ = ["CheckFailure", "run"]


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """Something that an operator must repair; ``code`` is the exit code it deserves."""

    area: str
    message: str
    code: int


def run(settings: Settings) -> list[CheckFailure]:
    """Return every failure; none when everything is well."""
    return [*_kafka(settings), *_sinks(settings)]


def _kafka(settings: Settings) -> Iterator[CheckFailure]:
    try:
        for fault in admin.check(settings.kafka.bootstrap, settings.kafka.topics()):
            yield CheckFailure("topics", fault, FAILED)
    except admin.KafkaAwayError as error:
        yield CheckFailure("kafka", str(error), AWAY)
    except KafkaException as error:
        yield CheckFailure("kafka", f"the topics can't be read: {error.args[0].str()}", AWAY)


def _sinks(settings: Settings) -> Iterator[CheckFailure]:
    """Open every sink, which does what every write will do."""
    try:
        opened = sinks(settings)
    except ConfigError as error:
        yield CheckFailure("sinks", str(error), CONFIGURATION)
        return
    for sink in opened:
        with closing(sink):
            try:
                sink.open()
            except SinkSettingsError as error:
                yield CheckFailure(sink.name, str(error), CONFIGURATION)
            except SinkError as error:
                yield CheckFailure(sink.name, str(error), AWAY)
