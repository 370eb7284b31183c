"""Offsets of a sink's partitions, against a plain record of everything that happened."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.delivery.offsets import SinkOffsets
from streams.kafka.log_position import LogPosition, Part

PARTS: list[Part] = [("health", 0), ("health", 1), ("alerts", 0)]

# Few offsets, so that a position is often reached again.
positions = st.builds(LogPosition, st.integers(0, 3), st.just(b""), st.integers(-1, 1))
topic_ids = st.sampled_from([b"here", b"gone"])
parts = st.sets(st.sampled_from(PARTS))
offsets = st.dictionaries(st.sampled_from(PARTS), positions)


class Member(RuleBasedStateMachine):
    """One member; what it wrote and what it committed are kept as two plain dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = SinkOffsets()
        self.owned: set[Part] = set()
        self.written: dict[Part, LogPosition] = {}
        self.committed: dict[Part, LogPosition] = {}

    @rule(some=parts)
    def assign(self, some: set[Part]) -> None:
        self.offsets.assign(some)
        self.owned |= some

    @rule(some=parts)
    def revoke(self, some: set[Part]) -> None:
        self.offsets.revoke(some)
        self.owned -= some
        for part in some:
            self.written.pop(part, None)
            self.committed.pop(part, None)

    @rule(reached=offsets)
    def write(self, reached: dict[Part, LogPosition]) -> None:
        self.offsets.wrote(reached)
        for part, (offset, _, reached_epoch) in reached.items():
            if part in self.owned:
                at, topic_id, epoch = self.written.get(part, LogPosition(0))
                kept = reached_epoch < 0 and offset == at
                self.written[part] = LogPosition(offset, topic_id, epoch if kept else reached_epoch)
                self.committed.pop(part, None)

    @rule(ends=st.dictionaries(st.sampled_from(PARTS), positions), topic_id=topic_ids)
    def inspect(self, ends: dict[Part, LogPosition], topic_id: bytes) -> None:
        ends = {part: end._replace(topic_id=topic_id) for part, end in ends.items()}
        self.offsets.learn_epochs(ends)
        for part, end in ends.items():
            if end.epoch >= 0 and self.written.get(part) == LogPosition(end.offset, end.topic_id):
                self.written[part] = end
                self.committed.pop(part, None)

    @rule(start=positions, topic_id=topic_ids)
    def restart(self, start: LogPosition, topic_id: bytes) -> None:
        starts = dict.fromkeys(self.owned, start._replace(topic_id=topic_id))
        self.offsets.restart(starts)
        self.written, self.committed = dict(starts), {}

    @rule(some=parts)
    def commit(self, some: set[Part]) -> None:
        self.offsets.committed(some)
        self.committed |= {part: self.written[part] for part in some if part in self.written}

    @rule(some=parts)
    def fail_a_commit(self, some: set[Part]) -> None:
        self.offsets.not_committed(some)
        for part in some:
            self.committed.pop(part, None)

    @invariant()
    def what_is_written_and_not_committed_is_known(self) -> None:
        assert self.offsets.written == self.written
        assert self.offsets.uncommitted == {
            part: offset for part, offset in self.written.items() if part not in self.committed
        }


TestSinkOffsets = Member.TestCase
