"""The port through which deliveries leave the simulator, with its receipt and its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import AWAY
from bellbuoy.simulator.world.delivery import Delivery

__all__ = ["Carrier", "CarrierError", "Receipt"]


class CarrierError(OperatorError):
    """
    Deliveries were refused for good, or were not accepted for too long.

    Operator action: see that the gateway (or Kafka) runs and knows the simulator's keys.
    """

    exit_code = AWAY


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    The counts of a batch: events acknowledged, and events sent again after an unclear answer.

    An event that was sent again may be in the log twice; dedupe drops the second and counts it.
    """

    accepted: int = 0
    repeated: int = 0

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(self.accepted + other.accepted, self.repeated + other.repeated)


class Carrier(Protocol):
    """A way for deliveries into the pipeline."""

    bad_reasons: Mapping[str, str]
    """The dead-letter reason that each kind of planted bad event gets on this way."""

    async def probe(self) -> None:
        """Raise CarrierError when the other side does not answer."""

    async def deliver(self, deliveries: Sequence[Delivery], /) -> Receipt:
        """Return once every delivery is acknowledged; raise CarrierError."""

    async def close(self) -> None:
        """Close the connections."""
