"""What is done to the stack; each fault is undone when it returns, and nothing else is helped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are re-exported
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from bellbuoy.local.embedded.child import Child
from chaos.fleet import ROLES, SESSION_SECONDS, Fleet
from chaos.load import TENANT
from schemas.codec.record_codec import codec
from schemas.records import ClockTick
from schemas.times import DAY
from sinks.redis.client import connect
from sinks.redis.settings import RedisSettings

__all__ = ["FAULTS", "SHORT", "InjectedFault"]

_PAST_SESSION = SESSION_SECONDS + 3.0
_HANG_SECONDS = 8.0
_COMPACT_SECONDS = 40.0
_NO_FILES = """import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
os.execv(sys.argv[1], sys.argv[1:])"""


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A name for the table, and what is done; the seeded chance decides what is left open."""

    name: str
    run: Callable[[Fleet, random.Random], None]


def _kill(*roles: str) -> Callable[[Fleet, random.Random], None]:
    def run(fleet: Fleet, _chance: random.Random) -> None:
        for role in roles:
            fleet.of(role)[0].kill()

    return run


def _kill_again(role: str) -> Callable[[Fleet, random.Random], None]:
    """Kill it in what it does first: taking over, reading its window or its state back."""

    def run(fleet: Fleet, chance: random.Random) -> None:
        for _ in range(4):
            fleet.of(role)[0].kill()
            time.sleep(chance.uniform(0.5, 3.0))

    return run


def _join_and_leave(role: str) -> Callable[[Fleet, random.Random], None]:
    def run(fleet: Fleet, chance: random.Random) -> None:
        joined = [fleet.add(role)]
        time.sleep(chance.uniform(0.0, 2.0))  # into the first one's rebalance, or after it
        joined.append(fleet.add(role))
        time.sleep(chance.uniform(4.0, 6.0))
        joined[0].wanted = False
        joined[0].child.kill()
        time.sleep(chance.uniform(0.0, SESSION_SECONDS + 3.0))  # before that death is noticed, or after
        joined[1].retire()

    return run


def _zombie(role: str) -> Callable[[Fleet, random.Random], None]:
    """Pause the owner until another has taken over, and wake it while that one works."""

    def run(fleet: Fleet, _chance: random.Random) -> None:
        first, second = fleet.of(role)[0], fleet.add(role)
        time.sleep(3.0)
        _pause(first.child, _PAST_SESSION)
        time.sleep(2.0)
        second.retire()

    return run


def _broker_restart(fleet: Fleet, _chance: random.Random) -> None:
    fleet.restart_kafka(kill=False)


def _broker_kill(fleet: Fleet, _chance: random.Random) -> None:
    fleet.restart_kafka(kill=True)


def _broker_paused(fleet: Fleet, _chance: random.Random) -> None:
    _pause(fleet.kafka.child, _PAST_SESSION)


def _redis_hangs(fleet: Fleet, _chance: random.Random) -> None:
    _pause(fleet.redis.child, _HANG_SECONDS)


def _pause(child: Child, seconds: float) -> None:
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(child.pid, signal.SIGCONT)


def _redis_gone(fleet: Fleet, chance: random.Random) -> None:
    fleet.redis.child.kill()
    time.sleep(chance.uniform(1.0, 5.0))
    fleet.redis.start()


def _redis_emptied(fleet: Fleet, _chance: random.Random) -> None:
    _client(fleet).flushall()


def _redis_full(fleet: Fleet, _chance: random.Random) -> None:
    """Let it answer every write with an error."""
    client = _client(fleet)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)
    time.sleep(_HANG_SECONDS)
    client.config_set("maxmemory", 0)


def _redis_refuses_one(fleet: Fleet, chance: random.Random) -> None:
    """Let one account's records be refused amid the others of their batch; then do as operations.md says."""
    client = _client(fleet)
    account = f"bb:account:{TENANT}:acct-{chance.randrange(20):05d}"
    client.delete(account)
    client.set(account, "not a hash")
    time.sleep(3.0)
    client.delete(account)
    command = [sys.executable, "-P", "-m", "bellbuoy", "rebuild", "redis", "--json"]
    subprocess.run(command, env=fleet.environment, check=True, timeout=120, stdout=subprocess.DEVNULL)


def _compaction(fleet: Fleet, _chance: random.Random) -> None:
    """Let the broker compact the changelog while it is written, until it has done so."""
    admin = AdminClient({"bootstrap.servers": fleet.bootstrap, "log_level": 0})
    wanted = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000"}
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in wanted.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, fleet.topics.changelog, incremental_configs=changes)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
    checkpoint = fleet.kafka.folder / "logs" / "cleaner-offset-checkpoint"
    deadline = time.monotonic() + _COMPACT_SECONDS
    while fleet.topics.changelog not in (checkpoint.read_text() if checkpoint.exists() else ""):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker did not compact within {_COMPACT_SECONDS:.0f} s")
        time.sleep(0.2)


def _clock_back(fleet: Fleet, chance: random.Random) -> None:
    """Tell the journal an earlier time, as a host's clock does that is put right."""
    name = fleet.topics.name("simulation.clock")
    producer = Producer({"bootstrap.servers": fleet.bootstrap, "log_level": 0})
    for partition in range(fleet.topics.partitions):
        value = codec("simulation.clock").encode(ClockTick(now=chance.randrange(1, 20_000 * DAY)))
        producer.produce(name, value, partition=partition)
    producer.flush(30)


def _full_disk(fleet: Fleet, _chance: random.Random) -> None:
    """Replace the worker by one that can't write to any file, as on a full disk; then put it right."""
    fleet.of("worker")[0].retire()
    cramped = fleet.add("worker", [sys.executable, "-c", _NO_FILES])
    time.sleep(8.0)
    cramped.retire()
    fleet.add("worker")


def _client(fleet: Fleet) -> Any:
    return connect(RedisSettings(url=fleet.redis.url))


_KILLS = tuple(InjectedFault(f"`kill -9` of the {role}", _kill(role)) for role in ROLES)
_ALL = InjectedFault("`kill -9` of all four at once", _kill(*ROLES))
_BROKER = InjectedFault("`kill -9` of the broker", _broker_kill)
_PAUSED = InjectedFault("broker paused past every session", _broker_paused)
_EMPTIED = InjectedFault("Redis emptied", _redis_emptied)
_JOURNAL_ZOMBIE = InjectedFault("journal paused past its session, then woken", _zombie("journal"))

FAULTS = (
    *_KILLS,
    _ALL,
    InjectedFault("`kill -9` of the journal, four times while it starts", _kill_again("journal")),
    InjectedFault("`kill -9` of the worker, four times while it starts", _kill_again("worker")),
    InjectedFault("a second and a third journal join, one dies, one leaves", _join_and_leave("journal")),
    InjectedFault("a second and a third worker join, one dies, one leaves", _join_and_leave("worker")),
    InjectedFault("a second and a third delivery join, one dies, one leaves", _join_and_leave("deliver")),
    _JOURNAL_ZOMBIE,
    InjectedFault("worker paused past its session, then woken", _zombie("worker")),
    InjectedFault("delivery paused past its session, then woken", _zombie("deliver")),
    InjectedFault("broker restarted", _broker_restart),
    _BROKER,
    _PAUSED,
    InjectedFault("Redis killed, and back", _redis_gone),
    _EMPTIED,
    InjectedFault("Redis hangs", _redis_hangs),
    InjectedFault("Redis full: every write is refused", _redis_full),
    InjectedFault("Redis refuses the records of one account; rebuilt", _redis_refuses_one),
    InjectedFault("changelog compacted while it is written", _compaction),
    InjectedFault("clock stepped back", _clock_back),
    InjectedFault("no space for the worker's files", _full_disk),
)
"""Every fault."""

SHORT = (*_KILLS, _BROKER, _PAUSED, _EMPTIED, _JOURNAL_ZOMBIE)
"""Those of the short run."""
