"""A job of an engine: a process that counts until everything is committed, and the check of its totals."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # they are re-exported

from bellbuoy.local.embedded.child import Child
from bellbuoy.operations.kafka.topics import await_leaders
from bench.workload.load import DURATION_MS, Load
from schemas.codec.registry import committed, entries
from schemas.topics import CHANGELOG_CONFIG
from streams.kafka.log_reader import read_to_end

__all__ = ["JOBS", "Job", "day_ring"]

JOBS = Path(__file__).parent / "jobs"
"""The scripts: they take one argument, JSON, and print ``took`` and the seconds when all is committed."""

_DAYS = 90
_MAX_SECONDS = 900.0
_TOOK = re.compile(r"\btook (\d+\.\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Job:
    """One run of an engine on a load; ``engine`` is part of its names on the broker."""

    engine: str
    load: Load

    @property
    def group(self) -> str:
        """The consumer group, which is also the prefix of internal topics."""
        return f"{self.load.topics.prefix}{self.engine}"

    @property
    def output(self) -> str:
        """The topic of the updated accounts."""
        return f"{self.group}-output"

    def run(self, *command: str | Path, **more: object) -> float:
        """
        Run the command and return the seconds from the first event to the last one committed.

        *more* is added to its argument. Raises RuntimeError with the end of its log when it fails or takes
        more than a quarter of an hour.
        """
        self.create(self.output)
        with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as folder:
            argument = json.dumps(self._argument() | {"folder": folder} | more)
            child = Child(self.engine, [*command, argument], Path(folder) / "log")
            try:
                return _took(child)
            finally:
                child.kill()

    def create(self, topic: str) -> str:
        """Create a compacted topic with as many partitions as the input, await them, and return its name."""
        admin = AdminClient({**self.load.connection.librdkafka(), "log_level": 0})
        compacted = NewTopic(topic, self.load.topics.partitions, 1, config=CHANGELOG_CONFIG)
        for future in admin.create_topics([compacted]).values():
            future.result(30)
        await_leaders(admin, self.load.connection, {topic})
        return topic

    def holds(self, topic: str, read: Callable[[bytes, bytes], tuple[str, int, int]]) -> bool:
        """
        Return whether the last values in the topic sum to the load's events and durations, by account.

        *read* returns the account key, the events and the milliseconds of a record.
        """
        starts = [TopicPartition(topic, number, 0) for number in range(self.load.topics.partitions)]
        last = {
            record.key or b"": record.value or b"" for record in read_to_end(self.load.connection, starts)
        }
        events: Counter[str] = Counter()
        durations: Counter[str] = Counter()
        for key, value in last.items():
            account, number, milliseconds = read(key, value)
            events[account] += number
            durations[account] += milliseconds
        expected = {account: number * DURATION_MS for account, number in self.load.totals.items()}
        return events == self.load.totals and durations == expected

    def _argument(self) -> dict[str, object]:
        schema = next(e for e in entries() if e.id == committed().ids["usage.events-value"])
        return {
            "group": self.group,
            "bootstrap": self.load.connection.bootstrap,
            "input": self.load.topics.name("usage.events"),
            "output": self.output,
            "partitions": self.load.topics.partitions,
            "events": self.load.events,
            "days": _DAYS,
            "schema_id": schema.id,
            "schema": (resources.files("schemas") / "avro" / schema.file).read_text(),
        }


def day_ring(key: bytes, value: bytes) -> tuple[str, int, int]:
    """Return the account key, events and milliseconds of a value ``{day: [events, milliseconds]}``."""
    days = json.loads(value).values()
    account = key.decode().split("|")[0].strip('"')  # Quix appends a name, and either may be quoted
    return account, sum(events for events, _ in days), sum(milliseconds for _, milliseconds in days)


def _took(child: Child) -> float:
    deadline = time.monotonic() + _MAX_SECONDS
    while True:
        running = child.running
        if took := _TOOK.search(child.log.read_text(errors="replace")):
            return float(took[1])
        if not running or time.monotonic() > deadline:
            raise RuntimeError(f"{child.name} did not finish; its log ends with:\n{child.tail(30)}")
        time.sleep(0.05)
