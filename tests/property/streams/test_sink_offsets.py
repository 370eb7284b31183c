"""Offsets of a sink's partitions, against a plain record of everything that happened."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.delivery.offsets import Part, SinkOffsets

PARTS: list[Part] = [("health", 0), ("health", 1), ("alerts", 0)]

parts = st.sets(st.sampled_from(PARTS))
offsets = st.dictionaries(st.sampled_from(PARTS), st.integers(0, 100))


class Member(RuleBasedStateMachine):
    """One member; what it wrote and what it committed are kept as two plain dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = SinkOffsets()
        self.owned: set[Part] = set()
        self.written: dict[Part, int] = {}
        self.committed: dict[Part, int] = {}

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
    def write(self, reached: dict[Part, int]) -> None:
        self.offsets.wrote(reached)
        for part, offset in reached.items():
            if part in self.owned:
                self.written[part] = offset
                self.committed.pop(part, None)

    @rule(start=st.integers(0, 100))
    def restart(self, start: int) -> None:
        starts = dict.fromkeys(self.owned, start)
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
