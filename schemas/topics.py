"""The topics: names, partitions, compaction and retention. Created explicitly, never by accident."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.inputs import INPUT_TOPICS
from schemas.times import DAY, HOUR

__all__ = [
    "CHANGELOG_CONFIG",
    "MAX_DEAD_LETTER_BYTES",
    "MAX_MESSAGE_BYTES",
    "TopicSpec",
    "Topics",
]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest record a topic takes."""

MAX_DEAD_LETTER_BYTES = 8 * 1024 * 1024
"""The largest dead letter: any record fits whole, with the reason around it."""

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    # Small segments and a bounded compaction lag: a restore reads keys, not history.
    "segment.bytes": str(64 * 1024 * 1024),
    "segment.ms": str(600_000),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(HOUR),
}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must be; ``config`` are the broker's topic settings."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topics:
    """
    Every topic of one deployment.

    ``prefix`` goes before every name (tests and tenants of one broker keep apart by it);
    ``partitions`` is the number every input, the journal and the state changelog share.
    """

    prefix: str = ""
    partitions: int = 4
    replication: int = 1

    def name(self, topic: str) -> str:
        """Return the topic's name on the broker."""
        return f"{self.prefix}{topic}"

    def plain(self, name: str) -> str:
        """Return the name without prefix."""
        return name.removeprefix(self.prefix)

    @property
    def app_id(self) -> str:
        """Faust's application id, and so its consumer group and the first part of the changelog's name."""
        return f"{self.prefix}bellbuoy"

    @property
    def changelog(self) -> str:
        """The compacted topic that holds the account states, as Faust names it."""
        return f"{self.app_id}-accounts-changelog"

    def specs(self) -> Iterator[TopicSpec]:
        """Yield every topic as it must exist on the broker."""
        large = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        huge = {"max.message.bytes": str(MAX_DEAD_LETTER_BYTES)}
        for topic in INPUT_TOPICS:
            yield TopicSpec(self.name(topic), self.partitions, {"retention.ms": str(14 * DAY)} | large)
        yield TopicSpec(
            self.name("account.journal"), self.partitions, {"retention.ms": str(400 * DAY)} | large
        )
        yield TopicSpec(self.changelog, self.partitions, CHANGELOG_CONFIG | large)
        yield TopicSpec(self.name("account.health"), self.partitions, CHANGELOG_CONFIG | large)
        yield TopicSpec(self.name("account.kpis"), self.partitions, CHANGELOG_CONFIG | large)
        yield TopicSpec(self.name("risk.alerts"), self.partitions, {"retention.ms": str(400 * DAY)})
        yield TopicSpec(
            self.name("events.deadletter"), self.partitions, {"retention.ms": str(90 * DAY)} | huge
        )
        yield TopicSpec(self.name("simulation.clock"), self.partitions, {"retention.ms": str(DAY)})
