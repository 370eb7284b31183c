"""A reader of churn dates alone: a CSV file without a mapping, for histories that lie in the journal."""

from __future__ import annotations

import csv
from pathlib import Path

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.events import Churn, TableFile, TableReader
from bellbuoy.importing.map_format import CHURN, MapFile, TableSpec, fields_of
from schemas.codec.registry import Registry

__all__ = ["read_churn_dates"]

_NEEDED = ("account_id", "churned_at")


def read_churn_dates(path: Path, tenant: str, registry: Registry, now: int) -> dict[tuple[str, str], Churn]:
    """
    Return the churn of each account in a CSV file, by tenant and account id.

    The file has the columns ``account_id`` and ``churned_at``, and may have ``notice_at`` and ``arr_minor``;
    others are ignored. Raises ImportFileError, which lists every row that can't be used.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFileError(f"{path}: can't be read ({error}): correct the path or the file") from None
    if missing := [name for name in _NEEDED if name not in header]:
        raise ImportFileError(
            f"{path}: no column {' or '.join(missing)}: name the columns {', '.join(_NEEDED)}"
        )
    fields = {name: {"column": name} for name in fields_of(CHURN) if name in header}
    table = TableSpec.model_validate({"files": [path.name], "into": CHURN, "fields": fields})
    mapping = MapFile(tenant=tenant, tables={CHURN: table})
    found, faults = {}, []
    for row in TableReader(mapping, TableFile(CHURN, table, path), registry, now):
        if isinstance(row.what, RowFault):
            faults.append(f"{path}:{row.line}: {row.what}")
        elif isinstance(row.what, Churn):
            found[tenant, row.what.account_id] = row.what
    if faults:
        raise ImportFileError("\n".join(faults))
    return found
