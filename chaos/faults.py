"""Faults injected into the cluster; each undoes itself before it returns, and helps in no other way."""

from __future__ import annotations

import random
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
from bellbuoy.local.role_process import COMMAND
from chaos.cluster import ROLES, SESSION_SECONDS, Cluster
from chaos.company import TENANT
from schemas.codec.record_codec import codec
from schemas.records import ClockTick
from schemas.times import DAY
from sinks.redis.client import connect

__all__ = ["FAULTS", "SHORT", "InjectedFault"]

_PAST_SESSION_SECONDS = SESSION_SECONDS + 3.0
_HANG_SECONDS = 8.0
_COMPACTION_SECONDS = 40.0
_WITHOUT_FILES = """import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
os.execv(sys.argv[1], sys.argv[1:])"""


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault: its name in the table, and the function that injects it, with random times from the seed."""

    name: str
    run: Callable[[Cluster, random.Random], None]


def _kill(*roles: str) -> Callable[[Cluster, random.Random], None]:
    def run(cluster: Cluster, _chance: random.Random) -> None:
        for role in roles:
            cluster.of(role)[0].kill()

    return run


def _kill_while_starting(role: str) -> Callable[[Cluster, random.Random], None]:
    """Kill a member in its first seconds: while it takes over, or reads its window or its state back."""

    def run(cluster: Cluster, chance: random.Random) -> None:
        for _ in range(4):
            cluster.of(role)[0].kill()
            time.sleep(chance.uniform(0.5, 3.0))

    return run


def _join_and_leave(role: str) -> Callable[[Cluster, random.Random], None]:
    def run(cluster: Cluster, chance: random.Random) -> None:
        joined = [cluster.add(role)]
        time.sleep(chance.uniform(0.0, 2.0))  # into the first one's rebalance, or after it
        joined.append(cluster.add(role))
        time.sleep(chance.uniform(4.0, 6.0))
        joined[0].wanted = False
        joined[0].process.kill()
        time.sleep(chance.uniform(0.0, SESSION_SECONDS + 3.0))  # before that death is noticed, or after
        joined[1].retire()

    return run


def _zombie(role: str) -> Callable[[Cluster, random.Random], None]:
    """Pause the owner of partitions until another has taken over, and resume it while the other works."""

    def run(cluster: Cluster, _chance: random.Random) -> None:
        first, second = cluster.of(role)[0], cluster.add(role)
        time.sleep(3.0)
        _pause(first.process.child, _PAST_SESSION_SECONDS)
        time.sleep(2.0)
        second.retire()

    return run


def _broker_restart(cluster: Cluster, _chance: random.Random) -> None:
    cluster.restart_kafka(kill=False)


def _broker_kill(cluster: Cluster, _chance: random.Random) -> None:
    cluster.restart_kafka(kill=True)


def _broker_paused(cluster: Cluster, _chance: random.Random) -> None:
    _pause(cluster.kafka.child, _PAST_SESSION_SECONDS)


def _redis_hangs(cluster: Cluster, _chance: random.Random) -> None:
    _pause(cluster.redis.child, _HANG_SECONDS)


def _pause(child: Child, seconds: float) -> None:
    child.pause()
    time.sleep(seconds)
    child.resume()


def _redis_gone(cluster: Cluster, chance: random.Random) -> None:
    cluster.redis.child.kill()
    time.sleep(chance.uniform(1.0, 5.0))
    cluster.redis.start()


def _postgres_away(cluster: Cluster, chance: random.Random) -> None:
    cluster.postgres.stop(20.0)
    time.sleep(chance.uniform(2.0, 8.0))
    cluster.postgres.start()


def _postgres_killed(cluster: Cluster, chance: random.Random) -> None:
    cluster.postgres.child.kill()
    time.sleep(chance.uniform(0.0, 5.0))
    cluster.postgres.start()


def _redis_emptied(cluster: Cluster, _chance: random.Random) -> None:
    _client(cluster).flushall()


def _redis_full(cluster: Cluster, _chance: random.Random) -> None:
    """Let Redis answer every write with an error."""
    client = _client(cluster)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)
    time.sleep(_HANG_SECONDS)
    client.config_set("maxmemory", 0)


def _redis_refuses_one(cluster: Cluster, chance: random.Random) -> None:
    """Let Redis refuse one account's records within a batch; then rebuild, as docs/operations.md says."""
    client = _client(cluster)
    account = f"bb:account:{TENANT}:acct-{chance.randrange(20):05d}"
    client.delete(account)
    client.set(account, "not a hash")
    time.sleep(3.0)
    client.delete(account)
    command = [*COMMAND, "rebuild", "redis", "--json"]
    subprocess.run(command, env=cluster.environment, check=True, timeout=120, stdout=subprocess.DEVNULL)


def _compaction(cluster: Cluster, _chance: random.Random) -> None:
    """Let the broker compact the changelog while it is written, and wait until it has done so."""
    admin = AdminClient({**cluster.connection.librdkafka(), "log_level": 0})
    config = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000"}
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, cluster.topics.changelog, incremental_configs=changes)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
    checkpoint = cluster.kafka.folder / "logs" / "cleaner-offset-checkpoint"
    deadline = time.monotonic() + _COMPACTION_SECONDS
    while cluster.topics.changelog not in (checkpoint.read_text() if checkpoint.exists() else ""):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker did not compact within {_COMPACTION_SECONDS:.0f} s")
        time.sleep(0.2)


def _clock_back(cluster: Cluster, chance: random.Random) -> None:
    """Send the journal an earlier time, as a host does whose clock is corrected."""
    name = cluster.topics.name("simulation.clock")
    producer = Producer({**cluster.connection.librdkafka(), "log_level": 0})
    for partition in range(cluster.topics.partitions):
        value = codec("simulation.clock").encode(ClockTick(now=chance.randrange(1, 20_000 * DAY)))
        producer.produce(name, value, partition=partition)
    producer.flush(30)


def _full_disk(cluster: Cluster, _chance: random.Random) -> None:
    """Replace the worker by one that can't write to any file, as on a full disk; then by a normal one."""
    cluster.of("worker")[0].retire()
    limited = cluster.add("worker", [sys.executable, "-c", _WITHOUT_FILES, *COMMAND])
    time.sleep(8.0)
    limited.retire()
    cluster.add("worker")


def _client(cluster: Cluster) -> Any:
    return connect(cluster.settings.redis)


_KILLS = tuple(InjectedFault(f"`kill -9` of the {role}", _kill(role)) for role in ROLES)
_KILL_ALL_ROLES = InjectedFault("`kill -9` of all four at once", _kill(*ROLES))
_KILL_BROKER = InjectedFault("`kill -9` of the broker", _broker_kill)
_BROKER_PAUSED = InjectedFault("broker paused past every session", _broker_paused)
_REDIS_EMPTIED = InjectedFault("Redis emptied", _redis_emptied)
_KILL_POSTGRES = InjectedFault("`kill -9` of Postgres, and back", _postgres_killed)
_JOURNAL_ZOMBIE = InjectedFault("journal paused past its session, then woken", _zombie("journal"))

FAULTS = (
    *_KILLS,
    _KILL_ALL_ROLES,
    InjectedFault("`kill -9` of the journal, four times while it starts", _kill_while_starting("journal")),
    InjectedFault("`kill -9` of the worker, four times while it starts", _kill_while_starting("worker")),
    InjectedFault("a second and a third journal join, one dies, one leaves", _join_and_leave("journal")),
    InjectedFault("a second and a third worker join, one dies, one leaves", _join_and_leave("worker")),
    InjectedFault("a second and a third delivery join, one dies, one leaves", _join_and_leave("deliver")),
    _JOURNAL_ZOMBIE,
    InjectedFault("worker paused past its session, then woken", _zombie("worker")),
    InjectedFault("delivery paused past its session, then woken", _zombie("deliver")),
    InjectedFault("broker restarted", _broker_restart),
    _KILL_BROKER,
    _BROKER_PAUSED,
    InjectedFault("Redis killed, and back", _redis_gone),
    _REDIS_EMPTIED,
    InjectedFault("Redis hangs", _redis_hangs),
    InjectedFault("Redis full: every write is refused", _redis_full),
    InjectedFault("Redis refuses the records of one account; rebuilt", _redis_refuses_one),
    InjectedFault("Postgres stopped, and back", _postgres_away),
    _KILL_POSTGRES,
    InjectedFault("changelog compacted while it is written", _compaction),
    InjectedFault("clock stepped back", _clock_back),
    InjectedFault("no space for the worker's files", _full_disk),
)
"""Every fault."""

SHORT = (*_KILLS, _KILL_BROKER, _BROKER_PAUSED, _REDIS_EMPTIED, _KILL_POSTGRES, _JOURNAL_ZOMBIE)
"""The faults of a short run."""
