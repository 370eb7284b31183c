# /// script
# requires-python = ">=3.11"
# dependencies = ["quixstreams==3.28.1", "fastavro==1.13.1"]
# ///
"""
The job in Quix Streams, as its documentation shows: a stateful ``apply`` in RocksDB, then ``to_topic``.

All other settings are defaults: at least once, a checkpoint every five seconds.
"""

from __future__ import annotations

import json
import sys
import time
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader
from quixstreams import Application, State
from quixstreams.models import Deserializer

_DAY_MS = 86_400_000


class Usage(Deserializer):  # type: ignore[misc]  # Quix is not in the environment that checks types
    """Decodes the event after the five bytes of Confluent's framing, by its schema id."""

    def __init__(self, schema_id: int, schema: str) -> None:
        super().__init__()
        self._writers = {schema_id: parse_schema(json.loads(schema))}

    def __call__(self, value: bytes, ctx: Any) -> Any:  # noqa: ARG002 - passed by name
        """Return the event's fields."""
        return schemaless_reader(BytesIO(value[5:]), self._writers[int.from_bytes(value[1:5])], None)


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


def main(job: dict[str, Any]) -> None:
    """Count until every event is in a committed checkpoint; print the seconds since the first one."""
    started = 0.0

    def count(event: dict[str, Any], state: State) -> dict[str, list[int]]:
        nonlocal started
        started = started or time.monotonic()
        days: dict[str, list[int]] = state.get("days", {})
        add(days, event["occurred_at"] // _DAY_MS, event["duration_ms"] or 0, job["days"])
        state.set("days", days)
        return days

    app = Application(
        broker_address=job["bootstrap"],
        consumer_group=job["group"],
        auto_offset_reset="earliest",
        state_dir=job["folder"],
        loglevel="WARNING",
    )
    usage = app.topic(
        job["input"], key_deserializer="str", value_deserializer=Usage(job["schema_id"], job["schema"])
    )
    accounts = app.topic(job["output"], key_serializer="str", value_serializer="json")
    app.dataframe(usage).apply(count, stateful=True).to_topic(accounts)
    app.run(count=job["events"], collect=False)  # the checkpoint is committed before it returns
    print(f"took {time.monotonic() - started}", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
