"""The chance of a day that falls short: the shortened sum is the whole one, wherever it is asked for."""

from __future__ import annotations

from math import ceil, comb, fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.lost_days import _MORE, _chance


@st.composite
def asked(draw: st.DrawFn) -> tuple[int, int, float]:
    """Accounts, how many of them fall short at least, and the usual share, as a day is judged by them."""
    of, expected = draw(st.integers(3, 1_000)), draw(st.integers(0, 28_000))
    usual = (draw(st.integers(0, expected)) + 1) / (expected + 20)
    return of, draw(st.integers(min(of, ceil((usual + _MORE) * of)), of)), usual


@given(asked())
def test_the_chance_is_the_sum_over_all_numbers_from_the_least_on(
    of_least_share: tuple[int, int, float],
) -> None:
    of, least, share = of_least_share
    terms = (
        comb(of, number) * share**number * (1 - share) ** (of - number) for number in range(least, of + 1)
    )
    assert _chance(of, least, share) == pytest.approx(fsum(terms), rel=1e-12, abs=0)
