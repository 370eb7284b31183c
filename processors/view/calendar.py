"""Cache of public holidays, on which a silent account is not counted as silent."""

from __future__ import annotations

from functools import lru_cache

from schemas.times import day_number

__all__ = ["holidays"]


@lru_cache(maxsize=4_096)
def holidays(country: str, year: int) -> frozenset[int]:
    """
    Return the public holidays of a country (ISO 3166-1 alpha-2) in a year, as UTC day numbers.

    Empty for a country that the calendar doesn't have.
    """
    # Slow to import, and most accounts name no country.
    from holidays import country_holidays, list_supported_countries  # noqa: PLC0415

    if country not in list_supported_countries(include_aliases=False):
        return frozenset()
    return frozenset(day_number(day) for day in country_holidays(country, years=year))
