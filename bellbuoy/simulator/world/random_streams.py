"""Seeded random streams. Each has a name, so that no part of the simulation changes another's numbers."""

from __future__ import annotations

import math
from hashlib import blake2b, blake2s
from random import Random

from numpy.random import PCG64, Generator

__all__ = ["id_prefix", "log_uniform", "number_stream", "poisson", "random_stream"]

_MAX_EXACT_MEAN = 60.0


def random_stream(*parts: object) -> Random:
    """Return the random stream named by these parts; the same parts give the same numbers."""
    return Random("/".join(map(str, parts)))


def number_stream(*parts: object) -> Generator:
    """
    Return numpy's stream of the numbers that these parts name; the same parts give the same numbers.

    An array of days by people is filled day after day, so that more days never change the earlier ones.
    """
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=16).digest()
    return Generator(PCG64(int.from_bytes(digest, "little")))


def id_prefix(seed: int, start: int) -> str:
    """Return eight hex digits with which this simulation's ids begin, so that they differ from others'."""
    return blake2s(f"{seed}/{start}".encode(), digest_size=4).hexdigest()


def poisson(draw: Random, mean: float) -> int:
    """Return a Poisson-distributed count with this mean; above 60 by the normal approximation."""
    if mean <= 0:
        return 0
    if mean > _MAX_EXACT_MEAN:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    count, level, floor = 0, draw.random(), math.exp(-mean)
    while level > floor:
        count += 1
        level *= draw.random()
    return count


def log_uniform(draw: Random, low: int, high: int) -> int:
    """Return a number from [low, high] such that every order of magnitude is equally likely."""
    return round(math.exp(draw.uniform(math.log(low), math.log(high))))
