"""Values of fields: what a column or a mapping holds, as the type that the field of an event has."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bellbuoy.importing.errors import RowFault
from schemas.times import EPOCH

if TYPE_CHECKING:
    from bellbuoy.importing.map_format import FieldSpec

__all__ = ["field_value", "is_empty"]

_MILLISECOND = 1_000
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def is_empty(value: Any) -> bool:
    """Tell whether a column holds nothing: nothing at all, white space, or no number."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )


def field_value(name: str, kind: str, spec: FieldSpec, given: Any, zone: str) -> Any:
    """Return a field's value as the field's type; raise RowFault."""
    if isinstance(given, str):
        given = given.strip()
    if spec.values is not None:
        translated = spec.values.get(str(given))
        if translated is None:
            known = ", ".join(list(spec.values)[:10])
            raise RowFault(f"{name}: {given!r:.80} is not among `values` ({known}): add it")
        given = translated
    if name.endswith("_at"):
        return _time(name, spec, given, spec.timezone or zone)
    if kind in ("long", "int", "double"):
        return _number(name, kind, given, spec.times)
    if kind == "boolean":
        if isinstance(given, bool):
            return given
        if (word := _WORDS.get(str(given).lower())) is None:
            raise RowFault(f"{name}: {given!r:.80} is neither true nor false: translate it with `values`")
        return word
    return str(given)


def _number(name: str, kind: str, given: Any, times: float | None) -> int | float:
    try:
        number = Decimal(str(given)) * (1 if times is None else Decimal(str(times)))
        if kind == "double":
            return float(number)
        whole = int(number.to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        raise RowFault(
            f"{name}: {given!r:.80} is no number: correct it, or translate it with `values`"
        ) from None
    if whole != number:
        unit = "; money is in minor units, `times: 100` makes cents" if name.endswith("_minor") else ""
        raise RowFault(f"{name}: {given!r:.80} is no whole number{unit}")
    return whole


def _time(name: str, spec: FieldSpec, given: Any, zone: str) -> int:
    """Return a time in UTC milliseconds."""
    try:
        if spec.unit is not None:
            return int(Decimal(str(given)) * (1_000 if spec.unit == "s" else 1))
        if isinstance(given, datetime):
            moment = given
        elif isinstance(given, date):
            moment = datetime(given.year, given.month, given.day)  # noqa: DTZ001 - the zone follows
        elif spec.format is not None:
            moment = datetime.strptime(str(given), spec.format)  # noqa: DTZ007 - the zone follows
        else:
            moment = datetime.fromisoformat(str(given))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        at = round((moment.astimezone(UTC) - EPOCH).total_seconds() * _MILLISECOND)
    except (ValueError, OverflowError, InvalidOperation):
        how = f"of the format {spec.format!r}" if spec.format else "in ISO 8601"
        raise RowFault(
            f"{name}: {given!r:.80} is no time {how}: correct it, or give the field its `format` (as "
            "'%d.%m.%Y') or `unit` (s or ms)"
        ) from None
    if at < 0:
        raise RowFault(f"{name}: {given!r:.80} is before 1970")
    return at
