"""Erasure in Postgres: the rows of an account, or the name of a person in rows that stay."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.identity.naming import ERASED, named_by
from sinks.port import Subject
from sinks.postgres.statements import ERASE, ERASED_TABLES, WRITES, Write

__all__ = ["erase_account", "erase_person"]

_LAST_SEQUENCE = 2**63 - 1


def erase_account(connection: Any, subject: Subject) -> dict[str, int]:
    """Remove an account's rows, and note by a hash that it was erased; return how many, by table."""
    erasure = {
        "tenant": subject.tenant,
        "account_id": subject.account_id,
        "what": "account",
        "as_of": subject.until,
        "sequence": _LAST_SEQUENCE,
    }
    parameter = msgspec.json.encode([erasure]).decode()
    counts = [connection.execute(statement, (parameter,)).rowcount for statement in ERASE]
    return dict(zip((table for table, *_ in ERASED_TABLES), counts[1:], strict=True))


def erase_person(connection: Any, subject: Subject) -> dict[str, int]:
    """Put ``ERASED`` in place of a person's name in every text and JSON column; return the rows, by table."""
    pattern = named_by(subject.texts).pattern
    return {write.table: _renamed(connection, write, subject.tenant, pattern) for write in WRITES}


def _renamed(connection: Any, write: Write, tenant: str, pattern: str) -> int:
    columns = [name for name, kind in write.columns.items() if kind in ("text", "jsonb")]
    free = [name for name in columns if name not in (*write.key, "tenant", "account_id")]
    if not free:
        return 0
    new = ", ".join(
        f"{name} = regexp_replace({name}::text, %(name)s, %(erased)s, 'g')::{write.columns[name]}"
        for name in free
    )
    where = " OR ".join(f"{name}::text ~ %(name)s" for name in free)
    count: int = connection.execute(
        f"UPDATE {write.table} SET {new} WHERE tenant = %(tenant)s AND ({where})",  # noqa: S608 - our columns
        {"name": pattern, "erased": ERASED, "tenant": tenant},
    ).rowcount
    return count
