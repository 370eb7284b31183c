"""
The job in Faust, as its documentation teaches: a codec, a Record, an agent, a Table in memory, a send.

All other settings are defaults, except for uvloop, which is faster.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from io import BytesIO
from typing import Any

import faust
from fastavro import parse_schema, schemaless_reader
from faust.serializers import codecs

_DAY_MS = 86_400_000


class Avro(codecs.Codec):
    """Decodes the event after the five bytes of Confluent's framing, by its schema id."""

    def __init__(self, schema_id: int, schema: str) -> None:
        super().__init__()
        self._writers = {schema_id: parse_schema(json.loads(schema))}

    def _loads(self, s: bytes) -> Any:
        return schemaless_reader(BytesIO(s[5:]), self._writers[int.from_bytes(s[1:5])], None)


class Usage(faust.Record, serializer="usage"):
    """The fields that are counted; Faust ignores the others."""

    occurred_at: int
    duration_ms: int | None = None


def add(days: dict[str, list[int]], day: int, duration_ms: int, size: int) -> None:
    """Count an event in its day of the ring, which ends with the newest day; older events are dropped."""
    if str(day) not in days:
        days[str(day)] = [0, 0]
        oldest = max(map(int, days)) - size
        for expired in [name for name in days if int(name) <= oldest]:
            del days[expired]
    if counted := days.get(str(day)):
        counted[0] += 1
        counted[1] += duration_ms


def app(job: dict[str, Any]) -> faust.App:
    """Return an app that counts until every event is committed, and prints the seconds since the first."""
    codecs.register("usage", Avro(job["schema_id"], job["schema"]))
    app = faust.App(
        job["group"],
        broker=f"kafka://{job['bootstrap']}",
        store="memory://",
        datadir=job["folder"],
        topic_partitions=job["partitions"],
        table_standby_replicas=0,
    )
    usage = app.topic(job["input"], key_type=str, key_serializer="raw", value_type=Usage)
    accounts = app.topic(job["output"], key_type=str, key_serializer="raw", value_serializer="json")
    table = app.Table("accounts", default=dict)
    started, counted, everything = 0.0, 0, asyncio.Event()

    @app.agent(usage)
    async def count(events: faust.StreamT[Any]) -> None:
        nonlocal started, counted
        async for key, event in events.items():
            started = started or time.monotonic()
            days = table[key]
            add(days, event.occurred_at // _DAY_MS, event.duration_ms or 0, job["days"])
            table[key] = days
            await accounts.send(key=key, value=days)
            counted += 1
            if counted == job["events"]:
                everything.set()

    async def finish() -> None:
        await everything.wait()
        await app.consumer.commit()  # this may only have waited for a commit in progress
        await app.consumer.commit()
        print(f"took {time.monotonic() - started}", flush=True)

    app.task(finish)
    return app


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    sys.argv[1:] = ["--loop", "uvloop", "worker", "--loglevel", "warn", "--without-web"]
    app(job).main()
