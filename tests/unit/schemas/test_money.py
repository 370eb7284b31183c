"""Decimal places of currencies by ISO 4217."""

from __future__ import annotations

import pytest

from schemas.money import places


@pytest.mark.parametrize(
    ("expected", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (2, "EUR USD GBP CHF INR BRL"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_places_are_those_of_the_standard(expected: int, codes: str) -> None:
    assert {code: places(code) for code in codes.split()} == dict.fromkeys(codes.split(), expected)


@pytest.mark.parametrize("code", ["XAU", "XXX", "ZZZ", "", "eur"])
def test_what_has_no_minor_unit_or_is_not_known_has_the_usual_two(code: str) -> None:
    assert places(code) == 2
