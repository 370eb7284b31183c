"""
A user's activity as one integer: the last active day in the upper bits, and a mask of the 32 days up to it.

Bit *i* of the mask says "active *i* days before the last day". Two such integers of one user unite whatever
the order of events, and the distinct users of any trailing window are counted from them.

    last_day << 32 | mask        mask = 0b1101: active on the last day, 2 days before it and 3 days before it
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "active_days",
    "activities_like",
    "last_day",
    "least_activity",
    "masks_on",
    "united",
    "user_days",
    "users_active",
    "with_day",
]

K = TypeVar("K")

_MASK_BITS = 32
_MASK = (1 << _MASK_BITS) - 1


def last_day(activity: int) -> int:
    """Return the UTC day on which the user was active last."""
    return activity >> _MASK_BITS


def least_activity(day: int) -> int:
    """Return the number that exactly those activities reach whose last day is *day* or later."""
    return day << _MASK_BITS


def with_day(activity: int | None, day: int) -> int:
    """Return a user's activity with another active day; ``None`` is a user who was not seen before."""
    if activity is None:
        return day << _MASK_BITS | 1
    last = activity >> _MASK_BITS
    if day > last:
        shift = day - last
        mask = (activity & _MASK) << shift | 1 if shift < _MASK_BITS else 1
        return day << _MASK_BITS | mask & _MASK
    behind = last - day
    return activity | 1 << behind if behind < _MASK_BITS else activity


def activities_like(users: Mapping[K, int], lost: Sequence[int], like: Mapping[int, int]) -> dict[K, int]:
    """
    Return the users' activities as if nothing of the ``lost`` days, in order, were missing.

    Who came last before lost days came so many days later. Who came after them was active on each as on the
    day that it is ``like``.
    """
    import numpy as np  # noqa: PLC0415

    every = np.fromiter(users.values(), np.int64, len(users))
    last, mask = every >> _MASK_BITS, every & _MASK
    missed = len(lost) - np.searchsorted(np.array(lost, np.int64), last, side="right")
    for day, before in like.items():
        since, since_before = last - day, last - before
        known = (missed == 0) & (since >= 0) & (since_before < _MASK_BITS)
        active = known & (mask >> np.clip(since_before, 0, _MASK_BITS - 1) & 1 == 1)
        mask |= active.astype(np.int64) << np.clip(since, 0, _MASK_BITS - 1)
    return dict(zip(users, (last + missed << _MASK_BITS | mask).tolist(), strict=True))


def active_days(activity: int) -> list[int]:
    """Return the UTC days on which a user was active, newest first, of the 32 up to the last one."""
    last = activity >> _MASK_BITS
    return [last - age for age in range(_MASK_BITS) if activity >> age & 1]


def masks_on(activities: Collection[int], day: int) -> NDArray[np.int64]:
    """Return the mask of each user with *day* as bit 0, which is no earlier than any last day."""
    import numpy as np  # noqa: PLC0415 - takes longer to load than a command that shows a score

    every = np.fromiter(activities, np.int64, len(activities))
    ages = np.minimum(np.maximum(day - (every >> _MASK_BITS), 0), _MASK_BITS)
    masks: NDArray[np.int64] = ((every & _MASK) << ages) & _MASK
    return masks


def users_active(masks: NDArray[np.int64], window: int) -> int:
    """Return how many users were active on any day of *window*, whose bits are days."""
    import numpy as np  # noqa: PLC0415

    return int(np.count_nonzero(masks & window))


def user_days(masks: NDArray[np.int64], window: int) -> int:
    """Return the sum over the users of their active days in *window*, whose bits are days."""
    import numpy as np  # noqa: PLC0415

    return int(np.bitwise_count(masks & window).sum())


def united(one: int, other: int) -> int:
    """Return what two places know of one user's days, up to the later last day of the two."""
    last, mask = max(one, other) >> _MASK_BITS, 0
    for activity in (one, other):
        behind = last - (activity >> _MASK_BITS)
        mask |= activity << behind & _MASK if behind < _MASK_BITS else 0
    return last << _MASK_BITS | mask
