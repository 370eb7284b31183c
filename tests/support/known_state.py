"""What a state knows, apart from the ledger, what was decided on the way, and the tombstones."""

from __future__ import annotations

from processors.state.account import Link
from processors.state.encoding import decode_state, encode_state

__all__ = ["knowledge"]


def knowledge(raw: bytes, *, retracted: bool = True) -> bytes:
    """
    Return the bytes of what is known; equal bytes, equal knowledge.

    Without ``retracted`` also without what was taken back and when each source was last heard.
    """
    state = decode_state(raw)
    state.sequence, state.due, state.kpis_due, state.band = -1, None, None, ""
    state.score = state.opening_score = None
    state.episodes, state.scored_day = {}, -1
    state.link = Link()
    state.band_since, state.pending_band, state.pending_since = -1, "", -1
    if not retracted:
        state.retracted, state.heard, state.applied = {}, {}, 0
    return encode_state(state)
