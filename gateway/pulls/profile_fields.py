"""Fields of a CRM's own that a tenant names, as fields of account profiles. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator

from gateway.http.errors import Fault
from schemas.money import minor_units

__all__ = ["ProfileFields", "profile_fields", "text"]

_MAX_TEXT = 256


def text(value: Any) -> str | None:
    """Return a value as a text of a profile, ``None`` for nothing."""
    said = "" if value is None else str(value).replace("\0", "").strip()
    return said[:_MAX_TEXT] or None


def _whole(value: Any) -> int | None:
    number = _number(value)
    if number is None:
        return None
    if number != number.to_integral_value() or not 0 <= number < 2**31:
        raise ValueError("not a whole number")
    return int(number)


def _number(value: Any) -> Decimal | None:
    said = text(value)
    if said is None:
        return None
    try:
        number = Decimal(said)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite():
        raise ValueError("not a number")
    return number


def _country(value: Any) -> str | None:
    said = text(value)
    if said is not None and not (len(said) == 2 and said.isascii() and said.isalpha()):
        raise ValueError("no country's code of two letters")
    return said and said.upper()


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "name": text,
    "segment": text,
    "stage": text,
    "owner": text,
    "parent_id": text,
    "domain": text,
    "currency": lambda value: (text(value) or "").upper() or None,
    "country": _country,
    "seats": _whole,
    "arr": _number,
}

_PROFILE_FIELDS = tuple(_READERS)
"""What a tenant may fill; ``arr`` is in major units, of ``currency``."""


def _known(fields: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(fields) - set(_PROFILE_FIELDS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no field of a profile; use {', '.join(_PROFILE_FIELDS)}")
    return fields


ProfileFields = Annotated[dict[str, str], AfterValidator(_known)]
"""The setting: which field of a profile is filled from which field of the CRM."""


def profile_fields(said: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    """Return the values of a tenant's fields as fields of a profile; raise Fault with the pointer of one."""
    values: dict[str, Any] = {}
    for name, value in said.items():
        try:
            values[name] = _READERS[name](value) if name in _READERS else None
        except ValueError as error:
            raise Fault(f"{name} can't be {str(value)[:80]!r}: {error}", f"{pointer}/{name}") from error
    arr = values.pop("arr", None)
    if arr is not None:
        currency = values.get("currency")
        if currency is None:
            raise Fault("arr has no currency: name its field, too", f"{pointer}/currency")
        values["arr_minor"] = minor_units(float(arr), currency)
    return {name: value for name, value in values.items() if value is not None}
