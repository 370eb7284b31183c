"""
Admit and roll up usage events in columns: what ``admit`` says of one event and what a cell holds.

A frame has one row an event and the columns of ``UsageEvent``. Users are hashed with xxh32, as
everywhere in the state, and event identities with xxh3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from processors.admit import BOUNDS, MAX_TEXT, Admission
from processors.state import DAY
from schemas.aliases import is_alias, known_alias
from schemas.keys import account_key, partition_of, valid_account, valid_tenant
from schemas.records import UsageCell

__all__ = ["SCHEMA", "admissible", "identities", "roll_up"]

SCHEMA: dict[str, type[pl.DataType]] = {
    "event_id": pl.String,
    "tenant": pl.String,
    "account_id": pl.String,
    "source": pl.String,
    "occurred_at": pl.Int64,
    "received_at": pl.Int64,
    "user_id": pl.String,
    "name": pl.String,
    "feature": pl.String,
    "duration_ms": pl.Int64,
    "error": pl.Boolean,
    "latency_ms": pl.Int64,
}
"""Columns and types of a usage frame."""

_TEXTS = ("event_id", "source", "user_id", "name", "feature")
_NUMBERS = ("duration_ms", "latency_ms", "received_at")


def admissible(
    frame: pl.DataFrame, now: int, limits: Admission, partition: int, partitions: int
) -> pl.Series:
    """
    Tell of each row whether it surely may enter the journal on this partition.

    Where it says no, ``admit`` and the key decide: this errs on the careful side only.
    """
    placed = frame.select("tenant", "account_id").unique()
    good = [
        _placed(tenant, account, partition, partitions)
        for tenant, account in zip(placed["tenant"], placed["account_id"], strict=True)
    ]
    wanted = placed.with_columns(good=pl.Series(good, dtype=pl.Boolean))
    checks = [
        pl.col("event_id").str.len_bytes() > 0,
        pl.col("occurred_at").is_between(max(0, now - limits.horizon_ms), now + limits.future_ms),
        *(pl.col(text).str.len_bytes().fill_null(0) <= MAX_TEXT for text in _TEXTS),
        *(pl.col(number).is_between(*BOUNDS[number]).fill_null(value=True) for number in _NUMBERS),
    ]
    if all(good):
        return frame.select(ok=pl.all_horizontal(checks))["ok"]
    joined = frame.join(wanted, on=["tenant", "account_id"], how="left", maintain_order="left")
    return joined.select(ok=pl.all_horizontal(pl.col("good"), *checks))["ok"]


@lru_cache(maxsize=262_144)
def _placed(tenant: str, account_id: str, partition: int, partitions: int) -> bool:
    if not (valid_tenant(tenant) and valid_account(account_id)):
        return False
    if is_alias(account_id) and not known_alias(account_id):
        return False
    return partition_of(account_key(tenant, account_id), partitions) == partition


def identities(frame: pl.DataFrame) -> NDArray[np.uint64]:
    """Return the identity of each event; as ``processors.admit.identity``."""
    joined: Any = pl.concat_str(["tenant", "source", "event_id"], separator="\0")
    return frame.select(joined.nchash.xxh3_64()).to_series().to_numpy()


def roll_up(frame: pl.DataFrame) -> list[UsageCell]:
    """Return one cell per account and UTC day, sorted; a function of the set of events alone."""
    if frame.is_empty():
        return []
    hashed = frame.with_columns(
        day=(pl.col("occurred_at") // DAY).cast(pl.Int32),
        user=plh.col("user_id").nchash.xxhash32(),
    )
    cells = (
        hashed.group_by("tenant", "account_id", "day")
        .agg(
            events=pl.len(),
            errors=pl.col("error").sum(),
            duration_ms=pl.col("duration_ms").sum(),
            latency_ms=pl.col("latency_ms").sum(),
            latencies=pl.col("latency_ms").count(),
            users=pl.col("user").drop_nulls().unique().sort(),
            features=pl.col("feature").drop_nulls().unique().sort(),
            first_at=pl.col("occurred_at").min(),
            last_at=pl.col("occurred_at").max(),
            received_at=pl.col("received_at").min(),
        )
        .sort("tenant", "account_id", "day")
    )
    users = _packed(cells["users"])
    features = cells["features"].to_list()
    plain = cells.drop("users", "features").rows(named=True)
    return [
        UsageCell(**row, users=packed, features=names)
        for row, packed, names in zip(plain, users, features, strict=True)
    ]


def _packed(lists: pl.Series) -> list[bytes]:
    ends = np.cumsum(lists.list.len().to_numpy(), dtype=np.int64) * 4
    data = lists.explode().drop_nulls().to_numpy().astype("<u4").tobytes()
    starts = np.concatenate(([0], ends[:-1]))
    return [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
