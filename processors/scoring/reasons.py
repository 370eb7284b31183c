"""The order of reasons: what takes the most first and, in a product, one of each family before the others."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

__all__ = ["LEAST_TAKEN", "Loss", "ordered"]

LEAST_TAKEN = 1.0
"""Points: what takes less is no reason."""

_taken = itemgetter(0)


class Loss(NamedTuple):
    """Loss of points: how much of the score is taken, by what, and its family."""

    taken: float
    what: str
    family: str


def ordered(losses: Iterable[Loss], *, by_family: bool) -> list[str]:
    """
    Return what takes the most, the worst first; equals stay in their order.

    With ``by_family`` the worst of each family comes first, the families by what each takes together: signs
    of one kind often come together, and three words for one thing would hide what else is wrong.
    """
    worst = sorted(losses, key=_taken, reverse=True)
    if not by_family or len(worst) < 3:
        return [loss.what for loss in worst]
    together: dict[str, float] = {}
    first: dict[str, Loss] = {}
    for loss in worst:
        together[loss.family] = together.get(loss.family, 0) + loss.taken
        first.setdefault(loss.family, loss)
    leading = sorted(first.values(), key=lambda loss: together[loss.family], reverse=True)
    led = set(map(id, leading))
    return [loss.what for loss in (*leading, *(loss for loss in worst if id(loss) not in led))]
