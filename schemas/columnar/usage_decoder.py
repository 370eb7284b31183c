"""
Decoder that reads many usage events at once from the broker's record batches, in compiled code.

It reads the records of Kafka's record batch format v2. Each holds an event (``UsageEvent``) or an envelope of
them (``schemas.codec.envelope``), in the newest schema's wire format. No bytes are copied: of each text its
index and size are kept, and accounts and features are numbered, so that each distinct one becomes a string
once. Two have the same number when their bytes are equal, not merely their hashes.

It reads that one form alone. A record is *odd*, and left to the reference codec, where it has another schema
id, a union or boolean byte that is neither of the two, a number of more than 64 bits, text that isn't UTF-8,
an array in several blocks, or bytes that are missing or left over. A batch is *broken*, and left to Kafka's
client, where its records don't follow each other exactly. All other records and batches are still read.

Sources: https://kafka.apache.org/documentation/#record and
https://avro.apache.org/docs/1.12.0/specification/#binary_encoding
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.codec.envelope import ENVELOPE_SUBJECT, MAX_EVENTS
from schemas.codec.registry import Registry
from schemas.columnar.compiled import address, byte_at, compiled, half_at, inlined, same_bytes, word_at
from schemas.columnar.varint import NOWHERE, read_varint
from schemas.columnar.xxhash import xxh64

__all__ = ["DURATION", "ERROR", "EVENT", "LATENCY", "BatchRecords", "UsageColumns", "UsageDecoder"]

_SUBJECT = "usage.events-value"
_PREFIX = 5
_MIN_EVENT_BYTES = 12
"""The length of the shortest event, one byte a field."""

_MIN_RECORD_BYTES = 7
_MAX_BYTES = 2**31 - 1
"""What the indices of ``EVENT`` can address."""

ERROR, DURATION, LATENCY = 1, 2, 4
"""Bits of ``flags`` in ``EVENT``: the product failed; the duration is known; the latency is known."""

_TEXTS = ("event_id", "tenant", "account_id", "source", "user_id", "name", "feature")
_NUMBERS = ("occurred_at", "received_at", "duration_ms", "latency_ms")

EVENT = np.dtype(
    [
        ("offset", "i8"),
        *((name, "i8") for name in _NUMBERS),
        *((name, "i4") for name in _TEXTS),
        *((f"{name}_size", "i4") for name in _TEXTS),
        ("index", "i4"),
        ("account", "i4"),
        ("feature_number", "i4"),
        ("flags", "i4"),
    ],
    align=True,
)
"""
A decoded event: its record's offset and its index within the record, its numbers, the index of each text in
the bytes and its size (-1: null), and the numbers of its account (tenant and account id) and of its feature
(-1: null), which count from 0 in the order in which they first appear.
"""

_FIELDS = {
    **dict.fromkeys(("event_id", "tenant", "account_id", "source"), "string"),
    **dict.fromkeys(("occurred_at", "received_at"), "long"),
    "user_id": ["null", "string"],
    "name": "string",
    "feature": ["null", "string"],
    "duration_ms": ["null", "long"],
    "error": "boolean",
    "latency_ms": ["null", "long"],
}
"""The fields of the schema that ``_event`` reads."""

Rows = NDArray[Any]
"""An array of ``EVENT``."""


class BatchRecords(NamedTuple):
    """
    The records of one batch: their decompressed bytes and their number.

    Offsets count from ``base``; only the records with offsets in ``[first, end)`` are read.
    """

    payload: bytes
    records: int
    base: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class UsageColumns:
    """
    Events in the order of the log, one row of ``EVENT`` each; their texts are in ``data``.

    ``accounts`` and ``features`` hold, by number, the row where each first appears. ``odd`` holds the offsets
    of records that only the reference codec can read, ``broken`` the indices of batches to read one by one.
    """

    data: bytes
    rows: Rows
    accounts: NDArray[np.int32]
    features: NDArray[np.int32]
    odd: NDArray[np.int64]
    broken: NDArray[np.int32]

    def raw_texts(self, rows: Rows, name: str) -> list[bytes]:
        """Return one text of each of these rows as bytes, empty where it is null."""
        data, spans = self.data, zip(rows[name].tolist(), rows[f"{name}_size"].tolist(), strict=True)
        return [data[at : at + size] if size > 0 else b"" for at, size in spans]

    def texts(self, rows: Rows, name: str) -> list[Any]:
        """Return one text of each of these rows, None where it is null."""
        known = (rows[f"{name}_size"] >= 0).tolist()
        raw_texts = self.raw_texts(rows, name)
        return [raw.decode() if is_known else None for raw, is_known in zip(raw_texts, known, strict=True)]

    def fields(self, rows: Rows) -> list[dict[str, Any]]:
        """Return the events of these rows as the codec decodes them."""
        flags = rows["flags"]
        columns = {name: self.texts(rows, name) for name in _TEXTS}
        columns |= {name: rows[name].tolist() for name in ("occurred_at", "received_at")}
        columns["error"] = (flags & ERROR).astype(np.bool_).tolist()
        for name, bit in (("duration_ms", DURATION), ("latency_ms", LATENCY)):
            known = (flags & bit).tolist()
            columns[name] = [
                number if is_known else None
                for number, is_known in zip(rows[name].tolist(), known, strict=True)
            ]
        names = list(_FIELDS)
        return [
            dict(zip(names, values, strict=True))
            for values in zip(*(columns[name] for name in names), strict=True)
        ]


class UsageDecoder:
    """
    Reads the records of ``usage.events``; raises ValueError where the schema isn't the one it can read.

    *seed* should be secret: with it one could make up accounts that hash alike and so are slow to number.
    """

    def __init__(self, registry: Registry, seed: int) -> None:
        fields = registry.readers[_SUBJECT]["fields"]
        if {field["name"]: field["type"] for field in fields} != _FIELDS or len(fields) != len(_FIELDS):
            raise ValueError("the newest schema of usage.events is not the one that the usage decoder reads")
        self._event, self._envelope = (
            np.uint64(int.from_bytes(prefix[:4], "little") << 8 | prefix[4])
            for prefix in map(registry.prefix, (_SUBJECT, ENVELOPE_SUBJECT))
        )
        self._seed = np.uint64(seed)

    def read(self, batches: Sequence[BatchRecords]) -> UsageColumns:
        """Return the events in these batches; raise ValueError where they have 2 GiB or more."""
        data = b"".join([batch.payload for batch in batches])
        if len(data) > _MAX_BYTES:
            raise ValueError(f"{len(data):,} bytes of records at once")
        ends = accumulate(len(batch.payload) for batch in batches)
        spans = np.array([(end, *batch[1:]) for end, batch in zip(ends, batches, strict=True)], np.int64)
        origin = address(data)
        # As large as could be needed: the system gives memory only for what is written.
        rows = np.empty(len(data) // _MIN_EVENT_BYTES + 1, EVENT)
        odd = np.empty(len(data) // _MIN_RECORD_BYTES + 1, np.int64)
        broken = np.empty(len(batches), np.int32)
        events, odds, breaks = _records(
            origin, spans.reshape(-1, 5), self._event, self._envelope, rows, odd, broken
        )
        rows = rows[:events]
        accounts, features = _numbered(origin, rows, self._seed)
        return UsageColumns(data, rows, accounts, features, odd[:odds], broken[:breaks])


@compiled
def _is_utf8(at: Any, end: Any) -> Any:
    """Tell whether bytes are UTF-8 by Python's rules: shortest forms, no surrogates, up to U+10FFFF."""
    while at < end:
        first = np.int64(byte_at(at))
        at += 1
        if first < 0x80:
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= first <= 0xDF:
            more = 1
        elif 0xE0 <= first <= 0xEF:
            more = 2
            if first == 0xE0:
                low = 0xA0
            elif first == 0xED:
                high = 0x9F
        elif 0xF0 <= first <= 0xF4:
            more = 3
            if first == 0xF0:
                low = 0x90
            elif first == 0xF4:
                high = 0x8F
        else:
            return False
        if more > end - at:
            return False
        for _ in range(more):
            if not low <= np.int64(byte_at(at)) <= high:
                return False
            low, high = 0x80, 0xBF
            at += 1
    return True


@inlined
def _text(at: Any, end: Any, origin: Any) -> Any:
    """Return where a text begins, counted from *origin*, its size, and the address after it or NOWHERE."""
    size, at = read_varint(at, end)
    if size < 0 or size > end - at:
        return np.int64(0), np.int64(0), NOWHERE
    stop = at + size
    seen = at
    high = np.uint64(0)
    while stop - seen >= 8:
        high |= word_at(seen)
        seen += 8
    while seen < stop:
        high |= byte_at(seen)
        seen += 1
    if high & np.uint64(0x8080808080808080) and not _is_utf8(at, stop):
        return np.int64(0), np.int64(0), NOWHERE
    return at - origin, size, stop


@inlined
def _is_known(at: Any, end: Any) -> Any:
    """Return whether a union of null and something holds something, and the address after that byte."""
    if at < end:
        byte = byte_at(at)
        if byte in (np.uint64(0), np.uint64(2)):
            return byte == np.uint64(2), at + 1
    return False, NOWHERE


@inlined
def _text_or_null(at: Any, end: Any, origin: Any) -> Any:
    """Return what ``_text`` does; the size is -1 for null."""
    known, at = _is_known(at, end)
    if known:
        return _text(at, end, origin)
    return np.int64(0), np.int64(-1), at


@inlined
def _number_or_null(at: Any, end: Any, flag: Any) -> Any:
    """Return a number and *flag*, both 0 for null, and the address after them or NOWHERE."""
    known, at = _is_known(at, end)
    if known:
        number, at = read_varint(at, end)
        return number, flag, at
    return np.int64(0), 0, at


@inlined
def _flag(at: Any, end: Any, flag: Any) -> Any:
    """Return *flag* for true and 0 for false, and the address after the byte or NOWHERE."""
    if at < end and byte_at(at) <= np.uint64(1):
        return flag * np.int64(byte_at(at)), at + 1
    return np.int64(0), NOWHERE


@inlined
def _event(row: Any, origin: Any, at: Any, end: Any) -> Any:
    """Read the event at an address into a row; return the address after it or NOWHERE."""
    row.event_id, row.event_id_size, at = _text(at, end, origin)
    row.tenant, row.tenant_size, at = _text(at, end, origin)
    row.account_id, row.account_id_size, at = _text(at, end, origin)
    row.source, row.source_size, at = _text(at, end, origin)
    row.occurred_at, at = read_varint(at, end)
    row.received_at, at = read_varint(at, end)
    row.user_id, row.user_id_size, at = _text_or_null(at, end, origin)
    row.name, row.name_size, at = _text(at, end, origin)
    row.feature, row.feature_size, at = _text_or_null(at, end, origin)
    row.duration_ms, duration, at = _number_or_null(at, end, DURATION)
    error, at = _flag(at, end, ERROR)
    row.latency_ms, latency, at = _number_or_null(at, end, LATENCY)
    row.flags = duration | error | latency
    return at


@inlined
def _bytes(at: Any, end: Any) -> Any:
    """Return where bytes begin and end, which may be null; NOWHERE where they don't end by *end*."""
    size, at = read_varint(at, end)
    if size < -1 or size > end - at:
        return NOWHERE, NOWHERE
    return at, at + max(size, 0)


@inlined
def _after_headers(at: Any, end: Any) -> Any:
    """Return the address after a record's headers or NOWHERE."""
    count, at = read_varint(at, end)
    if count < 0:
        return NOWHERE
    while count and at <= end:
        _, _, at = _text(at, end, at)
        _, at = _bytes(at, end)
        count -= 1
    return at


@inlined
def _record(at: Any, stop: Any) -> Any:
    """Return where a record ends or NOWHERE, its offset's delta, and where its value begins and ends."""
    none = NOWHERE, np.int64(0), NOWHERE, NOWHERE
    length, at = read_varint(at, stop)
    if length < 1 or length > stop - at or byte_at(at):
        return none  # Kafka defines no attributes of a record, and clients differ in how they read them
    end = at + length
    _, at = read_varint(at + 1, end)  # the time
    delta, at = read_varint(at, end)
    _, at = _bytes(at, end)  # the key
    value, value_end = _bytes(at, end)
    if _after_headers(value_end, end) != end:
        return none
    return end, delta, value, value_end


@inlined
def _items(at: Any, end: Any, event: Any, envelope: Any) -> Any:
    """Return how many events a value declares, -1 for another form, and where they begin and end."""
    none = np.int64(-1), at, end
    if end - at < _PREFIX:
        return none
    prefix = half_at(at) << np.uint64(8) | byte_at(at + 4)
    at += _PREFIX
    if prefix == event:
        return np.int64(1), at, end
    if prefix != envelope:
        return none
    # An array of one block, as most writers write it: count, items, zero.
    events, at = read_varint(at, end)
    if at > end or events < 0 or events > MAX_EVENTS:
        return none
    if events == 0:
        return events, at, end
    if at == end or byte_at(end - 1):
        return none
    return events, at, end - 1


@compiled
def _records(origin: Any, spans: Any, event: Any, envelope: Any, rows: Any, odd: Any, broken: Any) -> Any:
    """Read the records of spans (end, then as ``BatchRecords``); return how many rows, odd and broken."""
    n = odds = breaks = np.int64(0)
    at = np.int64(origin)
    for span in range(len(spans)):
        stop = origin + spans[span, 0]
        base, first, end = spans[span, 2], spans[span, 3], spans[span, 4]
        before, odds_before, last = n, odds, np.int64(-1)
        for _ in range(spans[span, 1]):
            at, delta, value, value_end = _record(at, stop)
            if at > stop or delta <= last:  # offsets only rise
                at = NOWHERE
                break
            last = delta
            offset = base + delta
            if not first <= offset < end:
                continue
            events, item, items_end = _items(value, value_end, event, envelope)
            for index in range(events):
                row = rows[n + index]
                item = _event(row, origin, item, items_end)
                if item > items_end:
                    break
                row.offset, row.index = offset, index
            if events >= 0 and item == items_end:
                n += events
            else:
                odd[odds] = offset
                odds += 1
        if at != stop:
            broken[breaks] = span
            breaks += 1
            n, odds = before, odds_before
        at = stop
    return n, odds, breaks


@compiled
def _numbered(origin: Any, rows: Any, seed: Any) -> Any:
    """Number the rows' accounts and features; return the row where each first appears."""
    slots = 16
    while slots < 2 * len(rows):
        slots *= 2
    mask = np.uint64(slots - 1)
    table = np.full(slots, -1, np.int32)
    accounts = np.empty(len(rows), np.int32)
    distinct = 0
    for n in range(len(rows)):
        row = rows[n]
        h = xxh64(origin + row.tenant, row.tenant_size, seed)
        slot = xxh64(origin + row.account_id, row.account_id_size, h) & mask
        while True:
            number = table[slot]
            if number < 0:
                number = distinct
                table[slot], accounts[distinct] = number, n
                distinct += 1
                break
            other = rows[accounts[number]]
            if (
                row.account_id_size == other.account_id_size
                and row.tenant_size == other.tenant_size
                and same_bytes(origin + row.account_id, origin + other.account_id, row.account_id_size)
                and same_bytes(origin + row.tenant, origin + other.tenant, row.tenant_size)
            ):
                break
            slot = (slot + np.uint64(1)) & mask
        row.account = number
    table[:] = -1
    features = np.empty(len(rows), np.int32)
    named = 0
    for n in range(len(rows)):
        row = rows[n]
        row.feature_number = -1
        if row.feature_size < 0:
            continue
        slot = xxh64(origin + row.feature, row.feature_size, seed) & mask
        while True:
            number = table[slot]
            if number < 0:
                number = named
                table[slot], features[named] = number, n
                named += 1
                break
            other = rows[features[number]]
            if row.feature_size == other.feature_size and same_bytes(
                origin + row.feature, origin + other.feature, row.feature_size
            ):
                break
            slot = (slot + np.uint64(1)) & mask
        row.feature_number = number
    return accounts[:distinct].copy(), features[:named].copy()
