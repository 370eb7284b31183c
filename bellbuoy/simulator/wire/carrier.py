"""How deliveries leave the simulator: the port, its receipt and its one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bellbuoy.simulator.world.delivery import Delivery

__all__ = ["Carrier", "CarrierError", "Receipt"]


class CarrierError(Exception):
    """
    Deliveries were refused for good, or nobody took them for too long.

    Operator action: see that the gateway (or Kafka) runs and knows the simulator's keys.
    """


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What became of a batch: events acknowledged, and those offered again after an unclear answer.

    An event offered again may be in the log twice; dedupe drops the second and counts it.
    """

    accepted: int = 0
    repeated: int = 0

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(self.accepted + other.accepted, self.repeated + other.repeated)


class Carrier(Protocol):
    """Takes deliveries to the pipeline."""

    bad_reasons: Mapping[str, str]
    """The dead-letter reason each planted kind of bad event meets on this way."""

    async def probe(self) -> None:
        """Raise CarrierError when nobody is there to take anything."""

    async def deliver(self, deliveries: Sequence[Delivery], /) -> Receipt:
        """Return once every delivery is acknowledged; raise CarrierError."""

    async def close(self) -> None:
        """Let go of connections."""
