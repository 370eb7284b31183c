"""Run the journal and worker as real processes, feed them, and read the changelog independently."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from processors.state.position import POSITION_KEY, is_account
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.producer_settings import DURABLE
from schemas.records import UsageEvent
from schemas.topics import Topics

DAY = 86_400_000


@dataclass
class Ledger:
    """What the compacted changelog says, read without the product's own state code."""

    applied: dict[str, int] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    dead_letters: int = 0
    moved: int = 0
    sequences: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.applied.values())


def read_all(bootstrap: str, topic: str, partitions: int = 4) -> list[Any]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "independent-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    unfinished, messages = set(range(partitions)), []
    while unfinished:
        first = consumer.poll(1.0)
        for message in () if first is None else (first, *consumer.consume(5_000, 0)):
            if message.error() is None:
                messages.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition())
    consumer.close()
    return messages


def ledger(bootstrap: str, topics: Topics) -> Ledger:
    last: dict[bytes, Any] = {}
    for message in read_all(bootstrap, topics.changelog, topics.partitions):
        last[message.key()] = message
    result = Ledger()
    for key, message in last.items():
        fields = msgspec.msgpack.decode(message.value(), strict=False)
        if key.startswith(POSITION_KEY):
            sequence, _offset, _at, _applied, duplicates, dead, moved = fields
            result.sequences[message.partition()] = sequence
            result.duplicates += duplicates
            result.dead_letters += dead
            result.moved += moved
        elif is_account(key):
            result.applied[key.decode()] = fields[2]
            result.usage[key.decode()] = sum(day[0] for day in fields[5][0].values())
    return result


class Roles:
    """The journal and worker of one set of topics, as processes that can be killed."""

    def __init__(self, bootstrap: str, topics: Topics, folder: Path, **journal: Any) -> None:
        self._bootstrap, self._topics, self._folder = bootstrap, topics, folder
        self._journal = journal
        self.processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[Path] = []

    def start(self, role: str, prelude: str = "") -> subprocess.Popen[bytes]:
        """Start a role; *prelude* is code that its process runs first."""
        where = f"{self._bootstrap!r}, Topics({self._topics.prefix!r}, {self._topics.partitions})"
        code = prelude
        code += "import structlog, logging, sys; logging.basicConfig(level=logging.WARNING)\n"
        code += "structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))\n"
        code += "from pathlib import Path; from schemas.topics import Topics\n"
        code += "from schemas.codec.registry import committed\n"
        if role == "journal":
            options = {"metrics_port": 0, "session_seconds": 6.0, **self._journal}
            code += "from streams.journal.stage import run; from streams.settings import JournalSettings\n"
            code += f"run({where}, JournalSettings(**{options!r}), committed())"
        else:
            code += "from streams.worker.stage import run; from streams.settings import WorkerSettings\n"
            code += (
                f"run({where}, WorkerSettings(metrics_port=0, session_seconds=6.0), "
                f"Path({str(self._folder)!r}), committed())"
            )
        name = self._folder / f"{role}-{len(self.processes)}.log"
        with name.open("wb") as output:
            command = [sys.executable, "-X", "faulthandler", "-c", code]
            process = subprocess.Popen(command, stdout=output, stderr=output)
        self.processes.append(process)
        self._logs.append(name)
        return process

    def stop(self) -> None:
        """End every process; raise AssertionError with the log of one that a fatal signal had ended."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        crashed = [
            log.read_text()
            for process, log in zip(self.processes, self._logs, strict=True)
            if process.wait() in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)
        ]
        assert not crashed, crashed[0]


def usage(number: int, account: str, at: int, **changes: Any) -> UsageEvent:
    fields = {
        "event_id": f"e{number}",
        "tenant": "acme",
        "account_id": account,
        "source": "test",
        "occurred_at": at,
        "received_at": at,
        "user_id": f"u{number % 7}",
        "name": "Report Exported",
        "feature": f"f{number % 5}",
        "duration_ms": 10,
    }
    return UsageEvent(**(fields | changes))


class Feed:
    """Produce input records the way a Kafka producer of a product team would."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self._topics = topics
        self._producer = Producer(
            {
                **DURABLE,
                "bootstrap.servers": bootstrap,
                "linger.ms": 5,
                "queue.buffering.max.messages": 500_000,
            }
        )

    def send(self, topic: str, events: Iterable[Any]) -> int:
        encode, name, count = codec(topic).encode, self._topics.name(topic), 0
        for event in events:
            self.raw(topic, encode(event), account_key(event.tenant, event.account_id), name=name)
            count += 1
        self.flush()
        return count

    def pack(self, events: Iterable[UsageEvent], each: int = 100) -> None:
        """Produce usage in envelopes of so many events, as a direct producer that packs would."""
        encode, partitions = codec("usage.events").encode, defaultdict(list)
        for event in events:
            key = account_key(event.tenant, event.account_id)
            partitions[partition_of(key, self._topics.partitions)].append((key, encode(event)))
        for waiting in partitions.values():
            for at in range(0, len(waiting), each):
                key, _ = waiting[at]
                for value, _ in Envelopes().pack(value for _, value in waiting[at : at + each]):
                    self.raw("usage.events", value, key)
        self.flush()

    def raw(
        self, topic: str, value: bytes, key: bytes | None = None, partition: int = -1, name: str | None = None
    ) -> None:
        while True:
            try:
                self._producer.produce(name or self._topics.name(topic), value, key, partition)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def flush(self) -> None:
        assert self._producer.flush(60) == 0


def now() -> int:
    return int(time.time() * 1000)


def until(condition: Callable[[], Any], seconds: float = 60.0, what: str = "the condition") -> Any:
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.1)
