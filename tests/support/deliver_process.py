"""Process that delivers to Redis, to be killed: ``python -m tests.support.deliver_process JSON``."""

from __future__ import annotations

import json
import sys

from schemas.codec.registry import committed
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from streams.delivery.stage import run
from streams.settings import DeliverySettings

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    run(
        given["bootstrap"],
        Topics(given["prefix"]),
        DeliverySettings(**given["delivery"]),
        [RedisSink(RedisSettings(**given["redis"]))],
        committed(),
    )
