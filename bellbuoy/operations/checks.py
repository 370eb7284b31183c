"""What a deployment needs: whether it is there and right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import redis
from confluent_kafka import KafkaException

from bellbuoy.exit_codes import AWAY, CONFIGURATION, FAILED
from bellbuoy.operations import topics as admin
from bellbuoy.settings import Settings

__all__ = ["CheckFailure", "run"]


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """Something to mend; ``code`` is the exit code it deserves."""

    area: str
    message: str
    code: int


def run(settings: Settings) -> list[CheckFailure]:
    """Return every fault; empty when all is well."""
    return [*_kafka(settings), *_redis(settings)]


def _kafka(settings: Settings) -> Iterator[CheckFailure]:
    try:
        for fault in admin.check(settings.kafka.bootstrap, settings.kafka.topics()):
            yield CheckFailure("topics", fault, FAILED)
    except admin.KafkaAwayError as error:
        yield CheckFailure("kafka", str(error), AWAY)
    except KafkaException as error:
        yield CheckFailure("kafka", f"the topics can't be read: {error.args[0].str()}", AWAY)


def _redis(settings: Settings) -> Iterator[CheckFailure]:
    fix = "start it, or correct redis.url (BELLBUOY_REDIS__URL)"
    try:
        with redis.Redis.from_url(settings.redis.url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except ValueError as error:
        yield CheckFailure("redis", f"redis.url (BELLBUOY_REDIS__URL) can't be used: {error}", CONFIGURATION)
    except redis.RedisError as error:
        yield CheckFailure("redis", f"Redis doesn't answer ({error}): {fix}", AWAY)
