"""
Statements of the Postgres sink, built from the columns of its tables.

Each takes one parameter, the rows as a JSON array, so that a batch costs one round trip a table however many
records it has. Times are UTC milliseconds in the rows. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ERASE", "ERASED_TABLES", "HISTORIES", "WRITES", "Write", "attach_partition"]

_TIME = "milliseconds"


@dataclass(frozen=True, slots=True)
class Write:
    """
    A write of rows to one table.

    ``columns`` maps each column to its type in the rows. A row whose key is there replaces it where its
    ``version`` is newer; with ``once`` it is left as it is. No row is written of what was ``erased`` later.
    """

    table: str
    key: tuple[str, ...]
    version: tuple[str, ...]
    columns: Mapping[str, str]
    once: bool = False
    erased: tuple[str, ...] = ("account",)

    @property
    def statement(self) -> str:
        """The statement, with one parameter for the rows."""
        names = ", ".join(self.columns)
        values = ", ".join(
            f"at_milliseconds(r.{name})" if kind == _TIME else f"r.{name}"
            for name, kind in self.columns.items()
        )
        time, sequence = self.version[:2]
        what = ", ".join(f"'{each}'" for each in self.erased)
        return (
            f"INSERT INTO {self.table} ({names}) SELECT {values} FROM {_rows(self.columns)} "
            "WHERE NOT EXISTS (SELECT FROM erased e "
            "WHERE e.subject = erased_subject(r.tenant, r.account_id) "
            f"AND e.what IN ({what}) AND (e.as_of, e.sequence) >= (r.{time}, r.{sequence})) "
            f"ORDER BY {', '.join(f'r.{each}' for each in self.key)} "  # one order: no deadlocks
            f"ON CONFLICT ({', '.join(self.key)}) DO {self._conflict()}"
        )

    @property
    def reading(self) -> str:
        """The query of all rows, with the times as UTC milliseconds."""
        values = ", ".join(
            f"(extract(epoch FROM {name}) * 1000)::bigint AS {name}" if kind == _TIME else name
            for name, kind in self.columns.items()
        )
        return f"SELECT {values} FROM {self.table}"

    @property
    def removal(self) -> str:
        """The statement that removes rows by key and version, with one parameter for both."""
        columns = {name: self.columns[name] for name in (*self.key, *self.version)}
        time, *others = self.version
        return (
            f"DELETE FROM {self.table} t USING {_rows(columns)} WHERE "
            + " AND ".join(f"t.{name} = r.{name}" for name in (*self.key, *others))
            + f" AND t.{time} = at_milliseconds(r.{time})"
        )

    def _conflict(self) -> str:
        if self.once:
            return "NOTHING"
        changed = [name for name in self.columns if name not in self.key]
        version = ", ".join(f"{self.table}.{each}" for each in self.version)
        return (
            f"UPDATE SET ({', '.join(changed)}) = ROW({', '.join(f'excluded.{each}' for each in changed)}) "
            f"WHERE ({version}) < ({', '.join(f'excluded.{each}' for each in self.version)})"
        )


def _rows(columns: Mapping[str, str]) -> str:
    """Return the rows of the parameter as a relation ``r``."""
    kinds = ", ".join(f"{name} {'bigint' if kind == _TIME else kind}" for name, kind in columns.items())
    return f"json_to_recordset(%s::json) AS r({kinds})"


def _columns(**groups: str) -> dict[str, str]:
    return {name: kind for kind, names in groups.items() for name in names.split()}


_ACCOUNT = ("tenant", "account_id")
_AS_OF = ("as_of", "sequence")
_CHANGED_AT = ("changed_at", "sequence", "step")

ACCOUNTS = Write(
    "accounts",
    _ACCOUNT,
    _AS_OF,
    _columns(
        text="tenant account_id name owner segment stage currency parent_id merged_into band label model "
        "model_version",
        bigint="arr_minor sequence",
        int="partition",
        float8="score previous_score coverage churn_probability involuntary_score",
        jsonb="reasons caps adjustments overrides open_alerts silent_sources notes tasks involuntary_reasons",
        milliseconds="band_since as_of received_at",
    ),
)
SCORE_HISTORY = Write(
    "score_history",
    (*_ACCOUNT, *_AS_OF),
    _AS_OF,
    _columns(
        text="tenant account_id band owner segment stage currency model model_version",
        bigint="arr_minor sequence",
        float8="score coverage involuntary_score",
        jsonb="reasons contributions",
        milliseconds="as_of",
    ),
    once=True,
)
KPIS = Write(
    "kpis",
    _ACCOUNT,
    _AS_OF,
    _columns(
        text="tenant account_id model model_version",
        bigint="sequence",
        int="partition",
        jsonb="measures",
        milliseconds="as_of",
    ),
    erased=("account", "kpis"),
)
MEASURE_HISTORY = Write(
    "measure_history",
    (*_ACCOUNT, *_AS_OF),
    _AS_OF,
    _columns(text="tenant account_id", bigint="sequence", jsonb="measure_values", milliseconds="as_of"),
    once=True,
)
ALERTS = Write(
    "alerts",
    ("alert_id",),
    _CHANGED_AT,
    _columns(
        text="alert_id tenant account_id name owner segment plan currency rule lane subject change severity "
        "title action band acknowledged_by assignee dismissed_by resolution feedback note model "
        "model_version rules_version",
        bigint="arr_minor episode sequence",
        int="partition step",
        float8="score_before score",
        boolean="shadow",
        jsonb="reasons",
        milliseconds="renewal_at since opened_at changed_at acknowledged_at snoozed_until received_at",
    ),
)
ALERT_CHANGES = Write(
    "alert_changes",
    ("alert_id", *_CHANGED_AT),
    _CHANGED_AT,
    _columns(
        text="alert_id tenant account_id change severity title owner band acknowledged_by assignee "
        "dismissed_by resolution feedback note",
        bigint="sequence",
        int="step",
        float8="score",
        jsonb="reasons",
        milliseconds="changed_at snoozed_until",
    ),
    once=True,
)

WRITES = (ACCOUNTS, SCORE_HISTORY, KPIS, MEASURE_HISTORY, ALERTS, ALERT_CHANGES)
"""Every write there is."""

HISTORIES = (SCORE_HISTORY.table, MEASURE_HISTORY.table)
"""The tables that are partitioned by month."""

_ERASURE = _columns(text="tenant account_id what", bigint="as_of sequence")
ERASED_TABLES = (
    ("accounts", "as_of", "account"),
    ("score_history", "as_of", "account"),
    ("measure_history", "as_of", "account"),
    ("kpis", "as_of", "account', 'kpis"),
    ("alerts", "changed_at", "account"),
    ("alert_changes", "changed_at", "account"),
)
"""Every table with rows of accounts, its column of time, and what is erased when its rows go."""

_NOTE = (
    f"INSERT INTO erased SELECT erased_subject(r.tenant, r.account_id), r.what, r.as_of, r.sequence "
    f"FROM {_rows(_ERASURE)} ORDER BY 1, 2 ON CONFLICT (subject, what) DO UPDATE "
    f"SET (as_of, sequence) = ROW(excluded.as_of, excluded.sequence) "
    f"WHERE (erased.as_of, erased.sequence) < (excluded.as_of, excluded.sequence)"
)


def _remove(table: str, time: str, what: str) -> str:
    return (
        f"DELETE FROM {table} t USING {_rows(_ERASURE)} "
        f"WHERE r.what IN ('{what}') AND (t.tenant, t.account_id) = (r.tenant, r.account_id) "
        f"AND (t.{time}, t.sequence) <= (at_milliseconds(r.as_of), r.sequence)"
    )


ERASE = (_NOTE, *(_remove(*each) for each in ERASED_TABLES))
"""Statements that remove accounts, each with the deletions as its parameter."""


def attach_partition(table: str, year: int, month: int) -> tuple[str, ...]:
    """
    Return the statements that add the partition of one month, where it is not there.

    It is attached: CREATE TABLE … PARTITION OF would wait for every reader of the table.
    """
    part = f"{table}_{year:04}_{month:02}"
    first, after = f"{year:04}-{month:02}-01", f"{year + month // 12:04}-{month % 12 + 1:02}-01"
    bounds = f"FROM ('{first} 00:00:00+00') TO ('{after} 00:00:00+00')"
    return (
        f"CREATE TABLE {part} (LIKE {table} INCLUDING ALL)",
        f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES {bounds}",
    )
