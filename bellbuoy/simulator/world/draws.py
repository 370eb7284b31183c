"""Seeded draws. Every stream of randomness is named, so that no two parts disturb each other."""

from __future__ import annotations

import math
from hashlib import blake2s
from random import Random

__all__ = ["log_uniform", "origin", "poisson", "stream"]

_MANY = 60.0


def stream(*parts: object) -> Random:
    """Return the random stream of this name; the same parts give the same draws."""
    return Random("/".join(map(str, parts)))


def origin(seed: int, start: int) -> str:
    """Return eight hex digits that tell one simulation's ids from another's."""
    return blake2s(f"{seed}/{start}".encode(), digest_size=4).hexdigest()


def poisson(draw: Random, mean: float) -> int:
    """Draw a count with this mean; past 60 by the normal approximation."""
    if mean <= 0:
        return 0
    if mean > _MANY:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    count, level, floor = 0, draw.random(), math.exp(-mean)
    while level > floor:
        count += 1
        level *= draw.random()
    return count


def log_uniform(draw: Random, low: int, high: int) -> int:
    """Draw from [low, high] so that every order of magnitude is as likely."""
    return round(math.exp(draw.uniform(math.log(low), math.log(high))))
