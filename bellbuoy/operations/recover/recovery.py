"""A plan of a recovery: its steps in words and in deeds, and what is lost by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bellbuoy.operations.kafka.topics import Area

__all__ = ["Recovery"]


@dataclass(slots=True)
class Recovery:
    """
    The plan of a recovery.

    ``steps`` say what is done and ``losses`` what is lost by it, in words; both are empty when there is
    nothing to recover. ``apply`` does it.
    """

    area: Area
    steps: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    actions: list[Callable[[], None]] = field(default_factory=list)

    def add(self, step: str, action: Callable[[], None]) -> None:
        """Add a step to the plan."""
        self.steps.append(step)
        self.actions.append(action)

    def apply(self) -> None:
        """Do what is planned; raise KafkaException."""
        for action in self.actions:
            action()
