"""Formats of the numbers in reasons."""

from __future__ import annotations

import pytest

from processors.measures.formats import count, mean


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 seats"),
        (1, "1 seat"),
        (2.5, "2.5 seats"),
        (1_234.5678, "1,234.57 seats"),
        (99_999.96, "100,000 seats"),
        (123_456.7, "123,457 seats"),
        (999_999, "999,999 seats"),
        (1_000_000, "1,000,000 seats"),
        (1_234_567.8, "1,234,568 seats"),
        (-2_500_000.0, "-2,500,000 seats"),
        (10**15, "1,000,000,000,000,000 seats"),
    ],
)
def test_a_count_is_written_out_with_its_thousands(number: float, said: str) -> None:
    assert count(number, "seat") == said


@pytest.mark.parametrize(("number", "said"), [(2.5, "2.5"), (3.0, "3"), (0.3333, "0.3"), (123.4, "123")])
def test_a_mean_has_a_decimal_where_it_says_something(number: float, said: str) -> None:
    assert mean(number) == said
