"""Admin client for the deployment's topics: creates them, deletes them, and finds what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are re-exported
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from bellbuoy.errors import ConfigError
from bellbuoy.operations.kafka.errors import KafkaAwayError, kafka_away
from bellbuoy.settings import Settings
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics, TopicSpec
from streams.kafka.answer import answer
from streams.kafka.errors import LEADER_UNKNOWN

__all__ = [
    "AREAS",
    "Area",
    "area_of",
    "await_leaders",
    "create_topics",
    "delete_topics",
    "require_topics",
    "topic_advice",
    "topic_faults",
    "topic_partitions",
]

Area = Literal["inputs", "journal", "changelog", "outputs"]
AREAS: tuple[Area, ...] = get_args(Area)
"""The parts of a deployment's topics that are recovered each in its own way."""

_REQUIRED = ("cleanup.policy", "retention.ms", "max.message.bytes")
"""Settings of a topic without which its records can't be relied on."""
_ADVISED = ("message.timestamp.type", "min.insync.replicas")
"""Settings of a topic that an older release left to the broker."""
_AT_LEAST = frozenset({"retention.ms", "max.message.bytes", "min.insync.replicas"})
"""Settings that may also be larger."""
_UNLIMITED = -1

_LEADER_SECONDS = 180.0
"""How long new partitions may take to get leader and log, as on a busy machine."""
_CONFIG_SECONDS = 30.0
"""How long a broker that is there may take to tell the settings of topics."""


def require_topics(settings: Settings) -> None:
    """Raise KafkaAwayError, or ConfigError that lists every topic that is missing or wrong."""
    faults = topic_faults(settings.kafka.connection(), settings.kafka.topics())
    if faults:
        raise ConfigError("the topics can't be used:\n" + "\n".join(f"  - {fault}" for fault in faults))


def topic_partitions(connection: Connection, seconds: float = 5.0) -> dict[str, int]:
    """Return every topic on the broker with its number of partitions; raise KafkaAwayError."""
    return _partitions(_admin(connection), connection, seconds)


def create_topics(connection: Connection, topics: Topics, seconds: float = 30.0) -> list[str]:
    """
    Create the topics that are missing and return their names; those that exist stay as they are.

    Returns once every partition can be written. Raises KafkaAwayError, and KafkaException for a refusal.
    """
    admin = _admin(connection)
    existing = _partitions(admin, connection, seconds)
    missing = [
        NewTopic(spec.name, spec.partitions, topics.replication, config=spec.config)
        for spec in topics.specs()
        if spec.name not in existing
    ]
    if not missing:
        return []
    created = []
    for name, future in admin.create_topics(missing, operation_timeout=seconds).items():
        try:
            answer(future, seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was first
                raise
        else:
            created.append(name)
    await_leaders(admin, connection, {topic.topic for topic in missing})
    return sorted(created)


def topic_faults(connection: Connection, topics: Topics, seconds: float = 5.0) -> list[str]:
    """
    Return everything that is wrong with the topics, each fault with its fix; raise KafkaAwayError.

    A topic may keep more than is asked, for longer: only its cleanup policy must be the very same.
    """
    admin = _admin(connection)
    existing = _partitions(admin, connection, seconds)
    counts = {existing[spec.name] for spec in topics.specs() if spec.name in existing}
    faults = []
    present = []
    for spec in topics.specs():
        partitions = existing.get(spec.name)
        if partitions is None:
            faults.append(f"topic {spec.name} is missing: run `bellbuoy topics create`")
        else:
            present.append(spec)
            if partitions != spec.partitions:
                fault = f"topic {spec.name} has {partitions} partitions, not {spec.partitions}: "
                if len(counts) == 1:
                    fault += (
                        f"keys would move, so set kafka.partitions to {partitions}, "
                        "or use a new kafka.topic_prefix and create the topics anew"
                    )
                else:
                    area = area_of(spec.name, topics)
                    fault += f"keys have moved, so run `bellbuoy recover {area} --dry-run`"
                faults.append(fault)
    faults.extend(_deviations(admin, connection, present, _REQUIRED))
    return faults


def topic_advice(connection: Connection, topics: Topics, seconds: float = 5.0) -> list[str]:
    """Return what is weaker than it should be though everything works, with the fix; raise KafkaAwayError."""
    admin = _admin(connection)
    existing = _partitions(admin, connection, seconds)
    present = [spec for spec in topics.specs() if spec.name in existing]
    return list(_deviations(admin, connection, present, _ADVISED))


def area_of(name: str, topics: Topics) -> Area:
    """Return what a topic (its name on the broker) is part of, as ``bellbuoy recover`` names it."""
    if name == topics.changelog:
        return "changelog"
    plain = topics.plain(name)
    if plain == "account.journal":
        return "journal"
    return "inputs" if plain in (*INPUT_TOPICS, "simulation.clock") else "outputs"


def delete_topics(connection: Connection, topics: Topics, seconds: float = 30.0) -> None:
    """Delete the topics that exist, with everything in them; raise KafkaAwayError or KafkaException."""
    admin = _admin(connection)
    existing = _partitions(admin, connection, seconds)
    names = [spec.name for spec in topics.specs() if spec.name in existing]
    if names:
        for future in admin.delete_topics(names, operation_timeout=seconds).values():
            answer(future, seconds)


def await_leaders(admin: AdminClient, connection: Connection, names: set[str]) -> None:
    """
    Return once every partition of topics just created can be written; raise KafkaAwayError.

    The controller answers before the brokers have heard of the topics.
    """
    deadline = time.monotonic() + _LEADER_SECONDS
    while True:
        topics = admin.list_topics(timeout=_LEADER_SECONDS).topics
        led = {
            name
            for name, topic in topics.items()
            if topic.error is None
            and topic.partitions
            and all(p.leader >= 0 for p in topic.partitions.values())
        }
        if names <= led and _have_logs(admin, {name: len(topics[name].partitions) for name in names}):
            return
        if time.monotonic() > deadline:
            raise KafkaAwayError(connection, f"no leader for {', '.join(sorted(names - led))}")
        time.sleep(0.02)


def _have_logs(admin: AdminClient, partitions: Mapping[str, int]) -> bool:
    """Return whether every partition has its log: a broker leads a partition before it has made its log."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(n, p): latest for n, count in partitions.items() for p in range(count)}
    try:
        for future in admin.list_offsets(asked, request_timeout=_LEADER_SECONDS).values():
            answer(future, _LEADER_SECONDS)
    except KafkaException as error:
        if error.args[0].code() not in LEADER_UNKNOWN | {KafkaError.UNKNOWN_TOPIC_OR_PART}:
            raise
        return False
    return True


def _admin(connection: Connection) -> AdminClient:
    # log_level 0: librdkafka would repeat on stderr what is raised here.
    return AdminClient({**connection.librdkafka(), "log_level": 0, "socket.timeout.ms": 10_000})


def _partitions(admin: AdminClient, connection: Connection, seconds: float) -> dict[str, int]:
    try:
        topics = admin.list_topics(timeout=seconds).topics
    except KafkaException as error:
        raise kafka_away(connection, error.args[0]) from None
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def _deviations(
    admin: AdminClient, connection: Connection, specs: list[TopicSpec], keys: Sequence[str]
) -> Iterator[str]:
    if not specs:
        return
    resources = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    asked = admin.describe_configs(resources, request_timeout=_CONFIG_SECONDS)
    try:
        configs: dict[str, Any] = {
            resource.name: answer(future, _CONFIG_SECONDS) for resource, future in asked.items()
        }
    except KafkaException as error:
        raise kafka_away(connection, error.args[0]) from None
    for spec in specs:
        for key in keys:
            expected, actual = spec.config.get(key), configs[spec.name][key].value
            if expected is not None and not _suffices(key, actual, expected):
                wanted = f"less than {expected}" if key in _AT_LEAST else f"not {expected}"
                yield (
                    f"topic {spec.name} has {key}={actual}, {wanted}: run `kafka-configs --bootstrap-server "
                    f"{connection} --alter --topic {spec.name} --add-config {key}={expected}`"
                )


def _suffices(key: str, actual: str, expected: str) -> bool:
    if key in _AT_LEAST:
        return int(actual) == _UNLIMITED or int(actual) >= int(expected)
    return actual == expected
