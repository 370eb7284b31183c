"""Erasure in tables of records: rows without an account, or without a person's name. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.identity.naming import named_by, names, without_name
from sinks.port import Subject

__all__ = ["without"]


def without(rows: pa.Table, subject: Subject) -> tuple[pa.Table, int]:
    """Return rows of a record type without the subject, and how many rows that concerned."""
    ours = pc.equal(rows["tenant"], subject.tenant)
    if subject.account_id is not None:
        at = "as_of" if "as_of" in rows.column_names else "changed_at"
        until = pa.scalar(subject.until, pa.timestamp("ms", "UTC"))
        gone = pc.and_(ours, pc.equal(rows["account_id"], subject.account_id))
        gone = pc.and_(gone, pc.less_equal(rows[at], until))
        return rows.filter(pc.invert(gone)), pc.sum(gone).as_py() or 0
    pattern = named_by(subject.texts)
    records = rows.to_pylist()
    changed = 0
    for number, record in enumerate(records):
        if record["tenant"] == subject.tenant and names(record, pattern):
            records[number] = without_name(record, pattern)
            changed += 1
    return (pa.Table.from_pylist(records, schema=rows.schema) if changed else rows), changed
