"""
Rows of the owners' stage in the changelog, beside the states of the accounts.

Their keys begin with ``OWNERS_KEY``. All rows of a tenant are on the partition of its owners
(``schemas.identity.owners``). Every row begins with the journal time at which it is due (``None``: never), so
that this can be read without the rest. Fields are only ever appended, each with a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from schemas.records import RiskAlert

__all__ = [
    "OWNERS_KEY",
    "DigestQueue",
    "Gate",
    "Row",
    "Rows",
    "SourceOutage",
    "Storm",
    "TrackedAlert",
    "alert_key",
    "gate_key",
    "inbox_key",
    "row_due",
    "row_name",
    "row_parts",
    "row_tenant",
]

OWNERS_KEY = b"\0owners\0"
"""First bytes of every such key; no account key starts with a zero byte."""


class TrackedAlert(msgspec.Struct, array_like=True, gc=False):
    """
    An open alert and what people were told of it.

    ``alert`` is its newest change. ``owner`` is whom it is for and ``recipient`` who is told in that person's
    place, the same unless somebody is away. ``phase`` is:

    * ``new``: to see whether it is alone (``processors.owners.storms``), until it is due
    * ``held``: until the ``storm`` has passed that it is part of
    * ``waiting``: for the recipient's working hours, until it is due
    * ``queued``: for the recipient's digest
    * ``told``: those in ``told`` have a message of it, since ``told_at``; so many ``steps`` of the escalation
      were made
    * ``listed``: it stood in a digest or was counted in one, or somebody had acknowledged it before
    * ``snoozed``: until it is due
    * ``over``: it was resolved, which is told when it is due

    A ``stale`` message is brought up to date when it is due, and must be noticed then where the alert was
    ``raised`` meanwhile. ``notes`` are for the next message.
    """

    due: int | None
    alert: RiskAlert
    owner: str = ""
    recipient: str = ""
    phase: str = "waiting"
    told: list[str] = []
    told_at: int = 0
    steps: int = 0
    stale: bool = False
    notes: list[str] = []
    storm: str = ""
    raised: bool = False


class DigestQueue(msgspec.Struct, array_like=True, gc=False):
    """
    The alerts that wait for a recipient's digest, which comes when the row is due, and what came today.

    ``sent`` notifications were sent at once on the local ``day`` (``date.toordinal``). ``queue`` maps the id
    of each alert that waits to why it does; ``unlisted`` more were too many to be kept.
    """

    due: int | None = None
    day: int = 0
    sent: int = 0
    queue: dict[str, str] = {}
    unlisted: int = 0


class Storm(msgspec.Struct, array_like=True, gc=False):
    """A storm since ``began_at``, with its own alert; ``last_at`` is when the last account came to it."""

    began_at: int
    last_at: int
    alert: RiskAlert


class SourceOutage(msgspec.Struct, array_like=True, gc=False):
    """An outage of a source with its alert, and the partitions in which the source is silent."""

    alert: RiskAlert
    partitions: list[int] = []


class Gate(msgspec.Struct, array_like=True, gc=False):
    """
    The count of a tenant's accounts with new alerts, and its storms; due when one may have passed.

    ``recent`` maps a kind of alerts to accounts, by the ``brief`` of their ids, with when each came; of a
    kind with very many of them ``one_in`` so many is kept. ``partitions`` are those that alerts came from.
    """

    due: int | None = None
    partitions: int = 1
    recent: dict[str, dict[int, int]] = {}
    one_in: dict[str, int] = {}
    storms: dict[str, Storm] = {}
    outages: dict[str, SourceOutage] = {}


class _RowHead(msgspec.Struct, array_like=True):
    due: int | None = None


Row: TypeAlias = TrackedAlert | DigestQueue | Gate

_KINDS: dict[str, type[Row]] = {"alert": TrackedAlert, "gate": Gate, "inbox": DigestQueue}
_encode = msgspec.msgpack.Encoder().encode
_decoders = {kind: msgspec.msgpack.Decoder(struct) for kind, struct in _KINDS.items()}
_head = msgspec.msgpack.Decoder(_RowHead)


def alert_key(tenant: str, alert_id: str) -> bytes:
    """Return the key of an alert's row."""
    return _key("alert", tenant, alert_id)


def inbox_key(tenant: str, recipient: str) -> bytes:
    """Return the key of a recipient's row."""
    return _key("inbox", tenant, recipient)


def gate_key(tenant: str) -> bytes:
    """Return the key of a tenant's gate."""
    return _key("gate", tenant, "")


def row_due(raw: bytes) -> int | None:
    """Return when the row in these bytes is due."""
    return _head.decode(raw).due


def row_tenant(key: bytes) -> str:
    """Return the tenant whose row has this key."""
    return row_parts(key)[1]


def row_name(key: bytes) -> str:
    """Return the kind, the tenant and the name of the row with this key, for people."""
    return " ".join(row_parts(key))


def row_parts(key: bytes) -> list[str]:
    """Return kind, tenant and name in the key of a row."""
    return key[len(OWNERS_KEY) :].decode().split("\0", 2)


def _key(*parts: str) -> bytes:
    return OWNERS_KEY + "\0".join(parts).encode()


def _decode(key: bytes, raw: bytes) -> Row:
    return _decoders[row_parts(key)[0]].decode(raw)


class Rows:
    """
    The stored rows, and those in use as values.

    A row that was got may be changed, and every change is kept: so it makes no difference whether the next
    batch gets the value or the bytes of it.
    """

    def __init__(self, stored: Mapping[bytes, bytes]) -> None:
        self._stored = stored
        self._used: dict[bytes, Row | None] = {}

    def alert(self, tenant: str, alert_id: str) -> TrackedAlert | None:
        """Return the row of an alert; ``None`` if there is none."""
        row = self.get(alert_key(tenant, alert_id))
        return row if isinstance(row, TrackedAlert) else None

    def inbox(self, tenant: str, recipient: str) -> DigestQueue:
        """Return the row of a recipient, an empty one if there is none."""
        row = self.get(inbox_key(tenant, recipient))
        return row if isinstance(row, DigestQueue) else DigestQueue()

    def gate(self, tenant: str) -> Gate:
        """Return the gate of a tenant, an empty one if there is none."""
        row = self.get(gate_key(tenant))
        return row if isinstance(row, Gate) else Gate()

    def alerts(self, tenant: str) -> Iterator[TrackedAlert]:
        """Yield the rows of all alerts of a tenant, in the order of their keys: it goes through every row."""
        prefix = alert_key(tenant, "")
        keys = {key for keys in (self._stored, self._used) for key in keys if key.startswith(prefix)}
        for key in sorted(keys):
            row = self.get(key)
            if isinstance(row, TrackedAlert):
                yield row

    def inboxes(self, tenant: str) -> list[tuple[str, DigestQueue]]:
        """Return the recipients of a tenant with their rows, in the order of their keys."""
        prefix = inbox_key(tenant, "")
        keys = {key for keys in (self._stored, self._used) for key in keys if key.startswith(prefix)}
        found = ((row_parts(key)[2], self.get(key)) for key in sorted(keys))
        return [(name, row) for name, row in found if isinstance(row, DigestQueue)]

    def get(self, key: bytes) -> Row | None:
        """Return a row; ``None`` if there is none."""
        if key not in self._used and (raw := self._stored.get(key)) is not None:
            self._used[key] = _decode(key, raw)
        return self._used.get(key)

    def put(self, key: bytes, row: Row) -> None:
        """Keep a row."""
        self._used[key] = row

    def remove(self, key: bytes) -> None:
        """Remove a row, if there is one."""
        self._used[key] = None

    def due(self, stored_due: Iterable[bytes], now: int) -> list[bytes]:
        """Return the rows due at *now* in the order of their keys; ``stored_due`` are those as stored."""
        due = {key for key in stored_due if key not in self._used}
        due |= {key for key, row in self._used.items() if row is not None and _is_due(row, now)}
        return sorted(due)

    def encoded(self) -> dict[bytes, bytes | None]:
        """Return the rows that changed, as bytes; ``None`` for a stored one that is removed."""
        rows = {key: None if row is None else _encode(row) for key, row in sorted(self._used.items())}
        return {key: raw for key, raw in rows.items() if raw != self._stored.get(key)}


def _is_due(row: Row, now: int) -> bool:
    return row.due is not None and row.due <= now
