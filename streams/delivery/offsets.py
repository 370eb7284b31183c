"""Offsets of one sink's partitions: how far each was written, and what of that is not committed yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["Part", "SinkOffsets"]

Part = tuple[str, int]
"""Topic as on the broker, and partition."""


class SinkOffsets:
    """
    Offsets of the partitions that this member owns; an offset is the one to write next.

    A partition that went to another member is forgotten: its offset is that member's to commit.
    """

    def __init__(self) -> None:
        self.owned: set[Part] = set()
        self.written: dict[Part, int] = {}
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

    def restart(self, starts: Mapping[Part, int]) -> None:
        """Go on from these offsets, and commit them: the sink was found to hold just this much."""
        self.written = dict(starts)
        self._uncommitted = set(starts)

    def wrote(self, reached: Mapping[Part, int]) -> None:
        """Note how far partitions were written; those that went to another member meanwhile are ignored."""
        kept = {part: offset for part, offset in reached.items() if part in self.owned}
        self.written |= kept
        self._uncommitted |= kept.keys()

    @property
    def uncommitted(self) -> dict[Part, int]:
        """The offsets that are written and not committed."""
        return {part: self.written[part] for part in self._uncommitted}

    def committed(self, parts: Iterable[Part]) -> None:
        """Note that the offsets of these partitions are committed, or on their way."""
        self._uncommitted.difference_update(parts)

    def not_committed(self, parts: Iterable[Part]) -> None:
        """Note that a commit of these partitions failed, so that it is repeated."""
        self._uncommitted |= set(parts) & self.written.keys()
