"""
The bytes of what did not change in a state since it was encoded last.

Most batches bring an account nothing but more usage, and of its state they change a day's sums and a few
numbers. To copy the bytes of the rest is cheaper than to walk over hundreds of values, most of which have
left the processor's caches since. The bytes are those of the whole state
(``tests/property/processors/test_evaluation_cache.py``).
"""

from __future__ import annotations

import msgspec

from processors.state.account import State
from processors.state.usage_parts import FEATURES, PAST, USERS

__all__ = ["EncodingCache"]

_encode = msgspec.msgpack.Encoder().encode
_USAGE = b"\x95"
"""Begins an array of the five fields of a ``Usage``."""

_STATE, _ITEMS = b"\xdc\x00\x1c", 3
"""Begins an array of the 28 fields of a ``State``, in as many bytes as the array that stands in for it."""

_NOTHING = msgspec.Raw(b"")


class EncodingCache:
    """Parts of one state as bytes; made when they are first needed, and anew once they may have changed."""

    __slots__ = ("_features", "_held", "_newest", "_past", "_rare", "_users")

    def __init__(self) -> None:
        self._past: msgspec.Raw | None = None
        self._newest: int | None = None
        self._users: msgspec.Raw | None = None
        self._features: msgspec.Raw | None = None
        self._held = self._rare = _NOTHING

    def invalidate(self, changed: int, today: int) -> None:
        """Forget the parts of the usage that changed; but for its past only *today* did."""
        if changed & PAST or self._newest != today:
            self._past = None
        if changed & USERS:
            self._users = None
        if changed & FEATURES:
            self._features = None

    def encode(self, state: State) -> bytes:
        """Return the bytes of the whole state, which must be arranged."""
        usage = state.usage
        days = usage.days
        if self._past is None:
            self._newest = next(reversed(days), None)
            newest = b"" if self._newest is None else _encode(days[self._newest])
            past = _encode(days)
            self._past = msgspec.Raw(_USAGE + past[: len(past) - len(newest)])
        if self._users is None:
            self._users = msgspec.Raw(_encode(usage.users))
        if self._features is None:
            self._features = msgspec.Raw(_encode(usage.features))
        if self._held is _NOTHING:
            self._held, self._rare = _beside_usage(state)
        parts = (
            state.tenant,
            state.account_id,
            state.applied,
            state.sequence,
            state.due,
            self._past,
            _NOTHING if self._newest is None else days[self._newest],
            self._users,
            self._features,
            usage.first_at,
            usage.last_at,
            self._held,
            state.episodes,
            state.score,
            state.band,
            state.scored_day,
            state.opening_score,
            state.band_since,
            state.pending_band,
            state.pending_since,
            self._rare,
            state.kpis_due,
        )
        return _STATE + _encode(parts)[_ITEMS:]


def _beside_usage(state: State) -> tuple[msgspec.Raw, msgspec.Raw]:
    """Return the fields that usage never changes, in the two runs in which they stand."""
    held = (state.tickets, state.billing, state.surveys, state.engagement, state.profile)
    rare = (
        state.moments,
        state.aims,
        state.people,
        state.heard,
        state.retracted,
        state.asked,
        state.overrides,
        state.link,
    )
    return msgspec.Raw(_encode(held)[1:]), msgspec.Raw(_encode(rare)[1:])
