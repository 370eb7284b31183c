"""
Encoder of a journal batch's usage cells from columns, in compiled code.

It writes the bytes that the codec would write, which a test compares.
Source: https://avro.apache.org/docs/1.12.0/specification/#binary_encoding
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.codec.varint import varint
from schemas.columnar.compiled import address, byte_at, compiled
from schemas.columnar.varint import MAX_VARINT_BYTES, write_varint

__all__ = ["CELL", "Cells"]

_NUMBERS = (
    "account", "day", "events", "errors", "duration_ms", "latency_ms", "latencies", "first_at", "last_at",
    "received_at", "users_end", "features_end",
)  # fmt: skip

CELL = np.dtype([(name, "i8") for name in _NUMBERS])
"""
The numbers of a ``UsageCell``; ``account`` is an index into the list of accounts. ``users_end`` and
``features_end`` are the indices after the cell's users and features, which begin where those of the cell
before end.
"""


@dataclass(frozen=True, slots=True)
class Cells:
    """
    Usage cells as columns: an array of ``CELL``, sorted by account and day, and the lists it refers to.

    ``users`` holds the users of one cell after the other, sorted within a cell; ``named`` holds the features
    likewise, as indices into ``features``. An account is a pair of tenant and account id.
    """

    cells: NDArray[Any]
    users: NDArray[np.uint32]
    named: NDArray[np.int64]
    accounts: list[tuple[str, str]]
    features: list[str]

    def encode(self) -> bytes:
        """Return the cells encoded as an Avro array of ``UsageCell``."""
        if not len(self.cells):
            return b"\0"
        accounts = [_account(*names) for names in self.accounts]
        features = [_text(name) for name in self.features]
        account_ends, feature_ends = _ends(accounts), _ends(features)
        sizes = np.diff(account_ends)[self.cells["account"]], np.diff(feature_ends)[self.named]
        room = (
            int(sizes[0].sum() + sizes[1].sum())
            + 4 * len(self.users)
            + len(_NUMBERS) * MAX_VARINT_BYTES * len(self.cells)
        )
        out = np.empty(room + 2 * MAX_VARINT_BYTES, np.uint8)
        texts = b"".join(accounts), b"".join(features)
        size = _write(
            self.cells,
            self.users,
            self.named,
            address(texts[0]),
            account_ends,
            address(texts[1]),
            feature_ends,
            out,
        )
        return varint(len(self.cells)) + out[:size].tobytes() + b"\0"


@lru_cache(maxsize=262_144)
def _account(tenant: str, account_id: str) -> bytes:
    return _text(tenant) + _text(account_id)


def _text(text: str) -> bytes:
    data = text.encode()
    return varint(len(data)) + data


def _ends(texts: list[bytes]) -> NDArray[np.int64]:
    """Return the index of each text in all of them joined, and the index after the last one."""
    ends = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=ends[1:])
    return ends


@compiled
def _write(
    cells: Any,
    users: Any,
    named: Any,
    accounts: Any,
    account_ends: Any,
    features: Any,
    feature_ends: Any,
    out: Any,
) -> Any:
    at = user = feature = 0
    for n in range(len(cells)):
        cell = cells[n]
        for text in range(account_ends[cell.account], account_ends[cell.account + 1]):
            out[at] = byte_at(accounts + text)
            at += 1
        for number in (cell.day, cell.events, cell.errors, cell.duration_ms, cell.latency_ms, cell.latencies):
            at = write_varint(out, at, number)
        at = write_varint(out, at, 4 * (cell.users_end - user))
        while user < cell.users_end:
            for shift in (0, 8, 16, 24):
                out[at] = users[user] >> shift & 0xFF
                at += 1
            user += 1
        count = cell.features_end - feature
        at = write_varint(out, at, count)
        while feature < cell.features_end:
            for text in range(feature_ends[named[feature]], feature_ends[named[feature] + 1]):
                out[at] = byte_at(features + text)
                at += 1
            feature += 1
        if count:
            out[at] = 0
            at += 1
        for number in (cell.first_at, cell.last_at, cell.received_at):
            at = write_varint(out, at, number)
    return at
