"""
Positions of one sink's partitions: how far each was written, and what of that is not committed yet.

A committed offset carries the leader epoch, and in its metadata the topic's id, so that it is a position of
one log, and after a space a note; offsets that older releases committed are bare.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka.log_position import LogPosition, Part

__all__ = ["SinkOffsets", "committable", "committed_notes", "committed_positions"]

_SECONDS = 5.0
"""How long Kafka may take to answer."""


def committed_positions(consumer: Consumer, parts: Iterable[Part]) -> dict[Part, LogPosition]:
    """Return the positions that the consumer's group has committed of these parts; raise KafkaException."""
    found = {}
    for part in consumer.committed([TopicPartition(*part) for part in parts], timeout=_SECONDS):
        if part.error is not None:
            raise KafkaException(part.error)
        if part.offset >= 0:
            epoch = -1 if part.leader_epoch is None else part.leader_epoch
            found[part.topic, part.partition] = LogPosition(part.offset, _topic_id(part.metadata), epoch)
    return found


def committed_notes(consumer: Consumer, parts: Collection[Part]) -> dict[Part, str]:
    """Return the notes beside the offsets that the consumer's group has committed; raise KafkaException."""
    found = consumer.committed([TopicPartition(*part) for part in parts], timeout=_SECONDS)
    return {(part.topic, part.partition): (part.metadata or "").partition(" ")[2] for part in found}


def committable(
    positions: Mapping[Part, LogPosition], notes: Mapping[Part, str] | None = None
) -> list[TopicPartition]:
    """Return positions as offsets to commit, each with its note where there is one."""
    notes = notes or {}
    return [
        TopicPartition(*part, at.offset, f"{at.topic_id.hex()} {notes.get(part, '')}".rstrip(" "), at.epoch)
        for part, at in positions.items()
    ]


def _topic_id(metadata: str | None) -> bytes:
    try:
        return bytes.fromhex((metadata or "").partition(" ")[0])
    except ValueError:  # whoever reset the group's offsets wrote something else there
        return b""


class SinkOffsets:
    """
    Positions of the partitions that this member owns; an offset is the one to write next.

    A partition that went to another member is forgotten: its offset is that member's to commit.
    """

    def __init__(self) -> None:
        self.owned: set[Part] = set()
        self.written: dict[Part, LogPosition] = {}
        self._uncommitted: set[Part] = set()

    def assign(self, parts: Iterable[Part]) -> None:
        """Own these partitions too; how far they were written is not known yet."""
        self.owned.update(parts)

    def revoke(self, parts: Iterable[Part]) -> None:
        """Forget partitions that this member owns no more."""
        for part in parts:
            self.owned.discard(part)
            self.written.pop(part, None)
            self._uncommitted.discard(part)

    def restart(self, starts: Mapping[Part, LogPosition]) -> None:
        """Go on from these positions, and commit them: the sink was found to hold just this much."""
        self.written = dict(starts)
        self._uncommitted = set(starts)

    def wrote(self, reached: Mapping[Part, LogPosition]) -> None:
        """
        Note how far partitions were written; those that went to another member meanwhile are ignored.

        Topic ids are kept as the restart found them.
        """
        for part, at in reached.items():
            if part in self.owned:
                before = self.written.get(part, LogPosition(0))
                known = at.epoch < 0 and at.offset == before.offset
                self.written[part] = before if known else at._replace(topic_id=before.topic_id)
                self._uncommitted.add(part)

    def learn_epochs(self, ends: Mapping[Part, LogPosition]) -> None:
        """Take the epochs of partitions that are written to their very end, where they aren't known yet."""
        for part, end in ends.items():
            at = self.written.get(part)
            if at is not None and at.epoch < 0 <= end.epoch and at == end._replace(epoch=-1):
                self.written[part] = end
                self._uncommitted.add(part)

    @property
    def uncommitted(self) -> dict[Part, LogPosition]:
        """The positions that are written and not committed."""
        return {part: self.written[part] for part in self._uncommitted}

    def committed(self, parts: Iterable[Part]) -> None:
        """Note that the offsets of these partitions are committed, or on their way."""
        self._uncommitted.difference_update(parts)

    def not_committed(self, parts: Iterable[Part]) -> None:
        """Note that a commit of these partitions failed, so that it is repeated."""
        self._uncommitted |= set(parts) & self.written.keys()
