"""
Admit many usage events at once: what ``admit`` says of one event.

Users are hashed with XXH32, as everywhere in the state, event identities as in
``processors.intake.admission.identity``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.intake.admission import BOUNDS, MAX_TEXT, Admission, identity
from processors.state.parts import brief
from schemas.columnar.compiled import address, compiled
from schemas.columnar.usage_decoder import DURATION, ERROR, LATENCY, UsageColumns
from schemas.columnar.xxhash import xxh32, xxh64
from schemas.identity.aliases import is_alias, known_alias
from schemas.identity.keys import account_key, partition_of, valid_account, valid_tenant

__all__ = ["USAGE", "Names", "admissible", "usage_of"]

USAGE = np.dtype(
    [
        ("identity", "u8"),
        ("offset", "i8"),
        ("occurred_at", "i8"),
        ("received_at", "i8"),
        ("duration_ms", "i8"),
        ("latency_ms", "i8"),
        ("user", "i8"),
        ("place", "i4"),
        ("account", "i4"),
        ("feature", "i4"),
        ("flags", "i4"),
    ],
    align=True,
)
"""
What the journal needs of an admitted event: its identity, where it stood, its times and numbers (0: unknown),
XXH32 of its user (-1: none), the numbers of its account and feature (-1: none) among ``Names``, and the flags
of ``schemas.columnar.usage_decoder.EVENT``.
"""

Rows = NDArray[Any]

_MOST_DURATION, _MOST_LATENCY, _MOST_RECEIVED = (
    BOUNDS[name][1] for name in ("duration_ms", "latency_ms", "received_at")
)


class Names:
    """Numbers for accounts and features, in order of first sight."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str], int] = {}
        self.features: dict[str, int] = {}

    def account(self, name: tuple[str, str]) -> int:
        """Return the number of an account, given as tenant and account id."""
        return self.accounts.setdefault(name, len(self.accounts))

    def feature(self, name: str) -> int:
        """Return the number of a feature."""
        return self.features.setdefault(name, len(self.features))


def admissible(
    columns: UsageColumns, names: Names, now: int, limits: Admission, partition: int, partitions: int
) -> tuple[Rows, NDArray[np.bool_]]:
    """
    Return the events that surely may enter the journal on this partition, and of each row whether it is one.

    Where it is none, ``admit`` and the key decide: this errs on the careful side only.
    """
    rows = columns.rows
    met = rows[columns.accounts]
    found = [
        _account(tenant, account_id, partition, partitions)
        for tenant, account_id in zip(
            columns.raw_texts(met, "tenant"), columns.raw_texts(met, "account_id"), strict=True
        )
    ]
    accounts = np.array([names.account(name) if placed else -1 for name, placed in found], np.int32)
    named = columns.texts(rows[columns.features], "feature")
    features = np.array([names.feature(name) if len(name) <= MAX_TEXT else -1 for name in named], np.int32)
    admitted, sure = np.empty(len(rows), USAGE), np.empty(len(rows), np.bool_)
    earliest, latest = max(0, now - limits.horizon_ms), now + limits.future_ms
    origin = address(columns.data)
    n = _admit(origin, rows, columns.accounts, accounts, features, earliest, latest, admitted, sure)
    return admitted[:n], sure


@lru_cache(maxsize=262_144)
def _account(
    tenant_: bytes, account_id_: bytes, partition: int, partitions: int
) -> tuple[tuple[str, str], bool]:
    """Return an account's tenant and id, and whether they are valid and belong to the partition."""
    tenant, account_id = tenant_.decode(), account_id_.decode()
    valid = valid_tenant(tenant) and valid_account(account_id)
    known = not is_alias(account_id) or known_alias(account_id)
    placed = valid and known and partition_of(account_key(tenant, account_id), partitions) == partition
    return (tenant, account_id), placed


@compiled
def _admit(
    origin: Any,
    rows: Any,
    met: Any,
    accounts: Any,
    features: Any,
    earliest: Any,
    latest: Any,
    admitted: Any,
    sure: Any,
) -> Any:
    seeds = np.empty(len(met), np.uint64)
    for number in range(len(met)):
        row = rows[met[number]]
        seeds[number] = xxh64(origin + row.tenant, row.tenant_size, np.uint64(0))
    count = 0
    for n in range(len(rows)):
        row = rows[n]
        flags = row.flags
        sure[n] = (
            accounts[row.account] >= 0
            and 0 < row.event_id_size <= MAX_TEXT
            and earliest <= row.occurred_at <= latest
            and 0 <= row.received_at <= _MOST_RECEIVED
            and 0 <= row.duration_ms <= _MOST_DURATION
            and 0 <= row.latency_ms <= _MOST_LATENCY
            and max(row.source_size, row.user_id_size, row.name_size, row.feature_size) <= MAX_TEXT
        )
        if not sure[n]:
            continue
        event = admitted[count]
        count += 1
        seed = xxh64(origin + row.source, row.source_size, seeds[row.account])
        event.identity = xxh64(origin + row.event_id, row.event_id_size, seed)
        event.offset, event.place = row.offset, row.index
        event.occurred_at, event.received_at = row.occurred_at, row.received_at
        event.duration_ms, event.latency_ms = row.duration_ms, row.latency_ms
        event.user = -1
        if row.user_id_size >= 0:
            event.user = xxh32(origin + row.user_id, row.user_id_size)
        event.account = accounts[row.account]
        event.feature = -1
        if row.feature_number >= 0:
            event.feature = features[row.feature_number]
        event.flags = flags
    return count


def usage_of(events: Iterable[tuple[Mapping[str, Any], int, int]], names: Names) -> Rows:
    """Return admitted events, given as decoded fields, offset and place, as an array of ``USAGE``."""
    return np.array(
        [
            (
                identity(event["tenant"], event["source"], event["event_id"]),
                offset,
                event["occurred_at"],
                event["received_at"],
                event["duration_ms"] or 0,
                event["latency_ms"] or 0,
                -1 if event["user_id"] is None else brief(event["user_id"]),
                place,
                names.account((event["tenant"], event["account_id"])),
                -1 if event["feature"] is None else names.feature(event["feature"]),
                ERROR * event["error"]
                + DURATION * (event["duration_ms"] is not None)
                + LATENCY * (event["latency_ms"] is not None),
            )
            for event, offset, place in events
        ],
        USAGE,
    )
