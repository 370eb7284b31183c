"""Evidence in a state, for comparisons: without the ledger, without what was decided, without the link."""

from __future__ import annotations

from processors.state.account import DECIDED, Link, State
from processors.state.encoding import decode_state, encode_state

__all__ = ["knowledge"]


def knowledge(raw: bytes, *, retracted: bool = True) -> bytes:
    """
    Return the bytes of the evidence in a state; equal bytes, equal knowledge.

    Without ``retracted`` also without what was taken back, how many events there were, and when they were.
    """
    state, blank = decode_state(raw), State()
    for name in DECIDED:
        setattr(state, name, getattr(blank, name))
    state.link = Link()
    if not retracted:
        state.retracted, state.heard, state.applied = {}, {}, 0
    return encode_state(state)
