"""
Snapshots: which of several descriptions of a whole object is the newest.

The newest time counts. Vendors give whole seconds, so several snapshots may be of one time. Then the order is
read from the chain that they form: each says which version of the object it followed. Of

    1 seat -> 5 seats    5 seats -> 3 seats

the second is the newer one whichever came first, because the version that was reached and not left is the one
that stayed. Each step counts, so of scheduled, withdrawn and scheduled again the last one is newest. Where
the versions form a circle (scheduled, then withdrawn), the position that the source gives decides, then the
version that was known before, then the rank of the events' kinds and a hash of their ids.

All snapshots of the newest two times are kept, so that the answer depends on the set of events, not on the
order in which they came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from processors.state.parts import Snapshot

__all__ = ["MAX_SNAPSHOTS", "newest", "united_snapshots"]

MAX_SNAPSHOTS = 16
"""Snapshots of an object that are kept of one time, those of the highest order."""

_TIMES = 2

S = TypeVar("S", bound=Snapshot)


def united_snapshots(*known: Iterable[S]) -> list[S]:
    """Return the snapshots of the newest two times, each once, oldest first."""
    by_order = {(each.at, each.order): each for snapshots in known for each in snapshots}
    ordered = [by_order[key] for key in sorted(by_order)]
    times = [list(group) for _, group in groupby(ordered, lambda each: each.at)]
    return [each for group in times[-_TIMES:] for each in group[-MAX_SNAPSHOTS:]]


def newest(snapshots: Sequence[S]) -> S:
    """Return the newest of some snapshots that stand in the order of their times, at least one."""
    at = snapshots[-1].at
    last = [each for each in snapshots if each.at == at]
    if len(last) == 1:
        return last[0]
    earlier = snapshots[: len(snapshots) - len(last)]
    before = newest(earlier).version if earlier else None
    steps = [(each.previous, each.version) for each in last if each.previous != each.version]
    reached: Counter[int | None] = Counter(version for _, version in steps)
    left: Counter[int | None] = Counter(previous for previous, _ in steps if previous is not None)

    def rank(each: S) -> tuple[int, int, bool, int]:
        stayed = max(-1, min(reached[each.version] - left[each.version], 1))
        position = -1 if each.sequence is None else each.sequence
        known = stayed == 0 and each.version is not None and each.version == before
        return stayed, position, known, each.order

    return max(last, key=rank)
