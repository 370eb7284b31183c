"""What a deployment needs: whether it is there and right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import redis
from confluent_kafka import KafkaException

from bellbuoy.exit_codes import AWAY, CONFIGURATION, FAILED
from bellbuoy.operations import topics as admin
from bellbuoy.settings import Settings

__all__ = ["Fault", "run"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to mend; ``code`` is the exit code it deserves."""

    area: str
    message: str
    code: int


def run(settings: Settings) -> list[Fault]:
    """Return every fault; empty when all is well."""
    return [*_kafka(settings), *_redis(settings)]


def _kafka(settings: Settings) -> Iterator[Fault]:
    try:
        for fault in admin.check(settings.kafka.bootstrap, settings.kafka.topics()):
            yield Fault("topics", fault, FAILED)
    except admin.KafkaAwayError as error:
        yield Fault("kafka", str(error), AWAY)
    except KafkaException as error:
        yield Fault("kafka", f"the topics can't be read: {error.args[0].str()}", AWAY)


def _redis(settings: Settings) -> Iterator[Fault]:
    fix = "start it, or correct redis.url (BELLBUOY_REDIS__URL)"
    try:
        with redis.Redis.from_url(settings.redis.url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except ValueError as error:
        yield Fault("redis", f"redis.url (BELLBUOY_REDIS__URL) can't be used: {error}", CONFIGURATION)
    except redis.RedisError as error:
        yield Fault("redis", f"Redis doesn't answer ({error}): {fix}", AWAY)
