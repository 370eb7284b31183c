"""A plain fold to compare a partition's with: batch by batch, without a heap and without a cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from processors.fold.fold import Fold
from processors.fold.models_in_force import rescore_at
from processors.fold.outcome import Outcome
from processors.fold.shared import Shared
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas.records import JournalBatch

__all__ = ["reference_fold"]


def reference_fold(
    batches: Iterable[JournalBatch], shared: Shared | None = None
) -> tuple[dict[bytes, bytes], list[Outcome]]:
    """Return the states after the batches, and what each batch changed."""
    states: dict[bytes, bytes] = {}
    position, shared, outcomes = Position(), shared or Shared(), []
    for offset, batch in enumerate(batches):
        fold = Fold(states, position, partition=0, shared=shared)
        fold.add(batch, offset, _due(states, shared, batch.written_at))
        outcome = fold.outcome()
        states |= {key: state for key, state in outcome.states.items() if state is not None}
        for key, state in outcome.states.items():
            if state is None:
                states.pop(key, None)
        position, shared = outcome.position, outcome.shared
        outcomes.append(outcome)
    return states, outcomes


def _due(states: Mapping[bytes, bytes], shared: Shared, now: int) -> Iterator[bytes]:
    """Yield the accounts that time alone, or a change of models, makes due at *now*."""
    for key, raw in states.items():
        state = decode_state(raw)
        times = state.due, rescore_at(shared.models, key, state.sequence)
        if any(at is not None and at <= now for at in times):
            yield key
