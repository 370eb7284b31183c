"""
The topic contract: every topic with its name, partitions, compaction and retention.

Topics are created from it on purpose, never by a client that happens to name one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.inputs import INPUT_TOPICS
from schemas.times import DAY, HOUR

__all__ = [
    "CHANGELOG_CONFIG",
    "KEYS_TOPIC",
    "MAX_DEAD_LETTER_BYTES",
    "MAX_MESSAGE_BYTES",
    "MAX_RECORD_BYTES",
    "PRODUCERS_TOPIC",
    "RAW_DAYS",
    "RAW_TOPIC",
    "TopicSpec",
    "Topics",
]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest record that inputs, journal, changelog and outputs take."""

MAX_RECORD_BYTES = MAX_MESSAGE_BYTES - 65_536
"""The largest record that the pipeline writes to them, which leaves room for headers."""

MAX_DEAD_LETTER_BYTES = 8 * 1024 * 1024
"""The largest dead letter: the record, whole or in part, with its repaired form and the reason."""

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    # Small segments and a bounded compaction lag keep a restore short: it reads each key about once.
    "segment.bytes": str(64 * 1024 * 1024),
    "segment.ms": str(600_000),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(HOUR),
}

DELIVERIES_CONFIG = CHANGELOG_CONFIG | {
    "cleanup.policy": "compact,delete",
    "retention.ms": str(90 * DAY),
}
"""What became of a notification is forgotten when the notification is."""


KEYS_TOPIC = "gateway.keys"
"""The topic of the keys of senders, which every gateway follows."""


PRODUCERS_TOPIC = "producer.reports"
"""The topic of what each producer sends, as each gateway hears it."""

_PRODUCERS_CONFIG = CHANGELOG_CONFIG | {
    "cleanup.policy": "compact,delete",
    "retention.ms": str(30 * DAY),
}
"""A producer of which nothing is heard for so long, or a gateway that is gone, is forgotten."""


RAW_TOPIC = "raw.payloads"
"""The topic of verified webhooks as they came."""

RAW_DAYS = 30
"""Days for which they are kept."""

_RAW_BYTES = 4 * 1024**3
"""Bytes of them that a partition keeps at most."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must exist on the broker; ``config`` are the broker's topic settings."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topics:
    """
    The topics of one deployment.

    ``prefix`` stands before every name, so that several deployments can share a broker. ``partitions`` is the
    number of partitions of each topic, so that an account has the same partition in all of them.
    """

    prefix: str = ""
    partitions: int = 4
    replication: int = 1

    def name(self, topic: str) -> str:
        """Return the topic's name on the broker."""
        return f"{self.prefix}{topic}"

    def plain(self, name: str) -> str:
        """Return a topic's name without the prefix."""
        return name.removeprefix(self.prefix)

    @property
    def app_id(self) -> str:
        """Faust's application id, which is also its consumer group and begins the changelog's name."""
        return f"{self.prefix}bellbuoy"

    @property
    def changelog(self) -> str:
        """The name that Faust gives the compacted topic of account states."""
        return f"{self.app_id}-accounts-changelog"

    def specs(self) -> Iterator[TopicSpec]:
        """Yield every topic as it must exist on the broker."""
        large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        huge = {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}
        for topic in INPUT_TOPICS:
            yield self._spec(self.name(topic), _kept(14 * DAY) | large)
        yield self._spec(self.name("account.journal"), _kept(400 * DAY) | large)
        yield self._spec(self.changelog, CHANGELOG_CONFIG | large)
        yield self._spec(self.name("account.health"), CHANGELOG_CONFIG | large)
        yield self._spec(self.name("account.kpis"), CHANGELOG_CONFIG | large)
        yield self._spec(self.name("risk.alerts"), _kept(400 * DAY))
        yield self._spec(self.name("alert.notifications"), _kept(90 * DAY))
        yield self._spec(self.name("alert.deliveries"), DELIVERIES_CONFIG)
        yield self._spec(self.name("erased.subjects"), CHANGELOG_CONFIG)
        yield self._spec(self.name(KEYS_TOPIC), CHANGELOG_CONFIG)
        yield self._spec(self.name(PRODUCERS_TOPIC), _PRODUCERS_CONFIG)
        yield self._spec(self.name("pull.cursors"), CHANGELOG_CONFIG)
        raw = _kept(RAW_DAYS * DAY) | {"retention.bytes": str(_RAW_BYTES)}
        yield self._spec(self.name(RAW_TOPIC), raw | large)
        yield self._spec(self.name("events.deadletter"), _kept(90 * DAY) | huge)
        yield self._spec(self.name("simulation.clock"), _kept(DAY))

    def _spec(self, name: str, config: dict[str, str]) -> TopicSpec:
        common = {
            # A record is kept for as long as its topic says from its arrival, whatever time its producer
            # gives it; and the broker's clock is what the journal's is compared with.
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(max(1, self.replication - 1)),
        }
        return TopicSpec(name, self.partitions, config | common)


def _kept(milliseconds: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(milliseconds)}
