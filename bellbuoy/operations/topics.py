"""Create the topics, and prove that they are what the pipeline needs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are re-exported
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from schemas.topics import Topics, TopicSpec
from streams.kafka.errors import LEADER_UNKNOWN

__all__ = ["KafkaAwayError", "check", "create", "drop", "names"]

_CHECKED = ("cleanup.policy", "retention.ms", "max.message.bytes")


class KafkaAwayError(Exception):
    """
    Kafka doesn't answer.

    Operator action: start Kafka (``bellbuoy up`` starts one), or correct ``kafka.bootstrap``.
    """

    def __init__(self, bootstrap: str, reason: object) -> None:
        super().__init__(
            f"Kafka doesn't answer on {bootstrap} ({reason}): start it, or correct kafka.bootstrap "
            "(BELLBUOY_KAFKA__BOOTSTRAP)"
        )


def names(bootstrap: str, seconds: float = 5.0) -> dict[str, int]:
    """Return every topic on the broker with its number of partitions; raise KafkaAwayError."""
    return _names(_admin(bootstrap), bootstrap, seconds)


def create(bootstrap: str, topics: Topics, seconds: float = 30.0) -> list[str]:
    """
    Create the topics that are missing and return their names; those that exist stay as they are.

    Returns once every partition can be written. Raises KafkaAwayError, and KafkaException for a refusal.
    """
    admin = _admin(bootstrap)
    existing = _names(admin, bootstrap, seconds)
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
            future.result(seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was first
                raise
        else:
            created.append(name)
    _await_leaders(admin, bootstrap, {topic.topic for topic in missing}, seconds)
    return sorted(created)


def check(bootstrap: str, topics: Topics, seconds: float = 5.0) -> list[str]:
    """Return every fault of the topics, each with its fix; raise KafkaAwayError."""
    admin = _admin(bootstrap)
    existing = _names(admin, bootstrap, seconds)
    faults = []
    present = []
    for spec in topics.specs():
        partitions = existing.get(spec.name)
        if partitions is None:
            faults.append(f"topic {spec.name} is missing: run `bellbuoy topics create`")
        else:
            present.append(spec)
            if partitions != spec.partitions:
                faults.append(
                    f"topic {spec.name} has {partitions} partitions, not {spec.partitions}: "
                    f"keys would move, so set kafka.partitions to {partitions}, "
                    "or use a new kafka.topic_prefix and create the topics anew"
                )
    faults.extend(_config_faults(admin, present, seconds))
    return faults


def drop(bootstrap: str, topics: Topics, seconds: float = 30.0) -> None:
    """Delete the topics that exist, with everything in them; raise KafkaAwayError or KafkaException."""
    admin = _admin(bootstrap)
    existing = _names(admin, bootstrap, seconds)
    doomed = [spec.name for spec in topics.specs() if spec.name in existing]
    if doomed:
        for future in admin.delete_topics(doomed, operation_timeout=seconds).values():
            future.result(seconds)


def _await_leaders(admin: AdminClient, bootstrap: str, wanted: set[str], seconds: float) -> None:
    # The controller's answer comes before the brokers have heard of the topics.
    deadline = time.monotonic() + seconds
    while True:
        known = admin.list_topics(timeout=seconds).topics
        led = {
            name
            for name, topic in known.items()
            if topic.error is None
            and topic.partitions
            and all(p.leader >= 0 for p in topic.partitions.values())
        }
        if wanted <= led and _made(admin, {name: len(known[name].partitions) for name in wanted}, seconds):
            return
        if time.monotonic() > deadline:
            raise KafkaAwayError(bootstrap, f"no leader for {', '.join(sorted(wanted - led))}")
        time.sleep(0.02)


def _made(admin: AdminClient, wanted: Mapping[str, int], seconds: float) -> bool:
    """Tell whether every partition has its log: a broker knows that it leads one before it has made it."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(n, p): latest for n, count in wanted.items() for p in range(count)}
    try:
        for future in admin.list_offsets(asked, request_timeout=seconds).values():
            future.result(seconds)
    except KafkaException as error:
        if error.args[0].code() not in LEADER_UNKNOWN | {KafkaError.UNKNOWN_TOPIC_OR_PART}:
            raise
        return False
    return True


def _admin(bootstrap: str) -> AdminClient:
    # log_level 0: librdkafka would repeat on stderr what is raised here.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "socket.timeout.ms": 10_000})


def _names(admin: AdminClient, bootstrap: str, seconds: float) -> dict[str, int]:
    try:
        found = admin.list_topics(timeout=seconds).topics
    except KafkaException as error:
        raise KafkaAwayError(bootstrap, error.args[0].str()) from None
    return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}


def _config_faults(admin: AdminClient, specs: list[TopicSpec], seconds: float) -> Iterator[str]:
    if not specs:
        return
    asked = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    answers: dict[str, Any] = {
        resource.name: future.result(seconds)
        for resource, future in admin.describe_configs(asked, request_timeout=seconds).items()
    }
    for spec in specs:
        for key in _CHECKED:
            wanted = spec.config.get(key)
            actual = answers[spec.name][key].value
            if wanted is not None and actual != wanted:
                yield (
                    f"topic {spec.name} has {key}={actual}, not {wanted}: "
                    f"run `kafka-configs --alter --topic {spec.name} --add-config {key}={wanted}`"
                )
