"""Keep a partition's due heap in step with its states and its models."""

from __future__ import annotations

from collections.abc import Mapping

from processors.fold.due import DueHeap, soonest
from processors.fold.fold import Outcome
from processors.fold.models_in_force import Models, rescore_at
from processors.fold.shared import Shared
from processors.state.encoding import decode_head

__all__ = ["schedule", "schedule_all"]


def schedule(heap: DueHeap, outcome: Outcome, states: Mapping[bytes, bytes], before: Shared) -> None:
    """
    Bring the heap up to date after an outcome was applied.

    ``states`` are those after it, ``before`` what was shared before: where models changed since, every
    account is due.
    """
    if outcome.shared.models is not before.models:
        schedule_all(heap, states, outcome.shared.models)
        return
    for key, account in outcome.known.items():
        heap.put(key, account.state.due)


def schedule_all(heap: DueHeap, states: Mapping[bytes, bytes], models: Models) -> None:
    """Put every account into the heap, as after a restart."""
    for key, raw in states.items():
        sequence, due = decode_head(raw)
        heap.put(key, soonest(due, rescore_at(models, key, sequence)))
