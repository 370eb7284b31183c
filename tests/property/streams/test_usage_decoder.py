"""The columnar path and the reference codec make the same journal of any input."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from processors.intake import usage_rollup_rows as rows_
from processors.intake.admission import identity
from processors.intake.columnar_admission import Names
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.columnar.compiled import address, compiled
from schemas.columnar.usage_decoder import BatchRecords, UsageColumns, UsageDecoder
from schemas.columnar.xxhash import xxh32, xxh64
from schemas.identity.aliases import is_alias
from schemas.identity.keys import account_key, partition_of, valid_account
from schemas.records import UsageEvent
from schemas.times import DAY
from schemas.topics import Topics
from streams.journal.sorted_events import SortedEvents
from streams.journal.usage_reader import UsageReader
from streams.kafka.record_batches import RawBatch, committed_batches
from tests.support.stored_usage import (
    LIMITS,
    NOW,
    content,
    encoded,
    enveloped,
    headers,
    intake,
    keys,
    one_by_one,
    records,
    stored,
    usages,
    written,
)  # fmt: skip

COLUMNS = UsageDecoder(committed(), 7)

hostile = st.sampled_from(
    (b"\xff" * 10, b"\xff" * 9 + b"\1", b"\x80" * 12, b"\1", b"\3", b"\xfe\xff\xff\xff\x0f", b"\x81\0")
) | st.binary(min_size=1, max_size=4)


@compiled
def hashes(at: Any, size: Any, seed: Any) -> Any:
    return xxh64(at, size, seed), xxh32(at, size)


@given(st.lists(records, max_size=3), st.sampled_from((0, 3, 4)))
@example([[(b"k", b"\0\0\0\0\1" + b"\2a\2t\2a\2s", [])]], 0)
def test_all_paths_give_the_same_journal(batches: list[Any], compression: int) -> None:
    kept = stored(batches, compression)
    assert content(intake().sort(kept, NOW)) == content(one_by_one(kept))


@given(st.lists(records, max_size=4), st.data())
def test_what_is_gathered_in_turns_is_what_is_read_at_once(batches: list[Any], data: st.DataObject) -> None:
    kept, window, gathered = stored(batches), intake(), SortedEvents()
    at_once = content(intake().sort(kept, NOW))
    while kept:
        some = data.draw(st.integers(1, len(kept)))
        window.sort(kept[:some], NOW, gathered)
        del kept[:some]
    assert content(gathered) == at_once


def read(batches: list[RawBatch]) -> UsageColumns:
    return COLUMNS.read([BatchRecords(b.payload(), b.count, b.base, b.first, b.end) for b in batches])


def decoded_events(columns: UsageColumns) -> list[tuple[int, int, dict[str, Any]]]:
    """Offset, place and fields of each event."""
    rows = columns.rows
    return list(zip(rows["offset"].tolist(), rows["index"].tolist(), columns.fields(rows), strict=True))


def expected(batches: list[RawBatch], odd: set[int]) -> list[tuple[int, int, dict[str, Any]]]:
    """What the reference codec reads of all records but the odd ones."""
    return [
        (record.offset, place, fields)
        for batch in batches
        for record in batch.records()
        if record.offset not in odd
        for place, fields in enumerate(Envelopes().unpack(record.value))
    ]


@given(st.lists(st.tuples(keys, encoded, headers), min_size=1, max_size=8))
def test_what_a_producer_writes_is_read_in_columns(batch: list[Any]) -> None:
    kept = stored([batch])
    columns = read(kept)
    assert (len(columns.odd), len(columns.broken)) == (0, 0)
    assert decoded_events(columns) == expected(kept, set())


@given(st.lists(records, max_size=3), st.sampled_from((0, 3, 4)))
def test_columns_never_read_what_the_codec_refuses(batches: list[Any], compression: int) -> None:
    kept = stored(batches, compression)
    columns = read(kept)
    assert len(columns.broken) == 0
    assert decoded_events(columns) == expected(kept, set(columns.odd.tolist()))


@given(st.lists(records, min_size=1, max_size=3), st.data())
def test_bytes_that_are_no_batch_are_read_as_kafka_s_client_reads_them_or_not_at_all(
    batches: list[Any], data: st.DataObject
) -> None:
    """Cut, changed and added to anywhere, lengths of records and keys included."""
    [kept] = stored([[record for batch in batches for record in batch]]) or stored([[(b"k", b"v", [])]])
    payload = bytearray(kept.payload())
    at = data.draw(st.integers(0, len(payload) - 1))
    match data.draw(st.sampled_from(("cut", "add", "change", "bits"))):
        case "cut":
            del payload[at : at + data.draw(st.integers(1, 3))]
        case "add":
            payload[at:at] = data.draw(hostile)
        case "change":
            payload[at : at + 1] = data.draw(hostile)
        case _:
            payload[at] ^= 1 << data.draw(st.integers(0, 7))
    raw = kept.raw[:8] + (49 + len(payload)).to_bytes(4, "big") + kept.raw[12:61] + bytes(payload)
    other = replace(kept, raw=raw, base=kept.end, first=kept.end, end=2 * kept.end)
    columns = read([kept, other, kept])
    odd = set(columns.odd.tolist())
    first = expected([kept], odd)
    if 1 in columns.broken:
        assert decoded_events(columns) == first + first
    else:
        middle = decoded_events(columns)[len(first) : len(decoded_events(columns)) - len(first)]
        shifted = [(offset - kept.end, place, fields) for offset, place, fields in middle]
        theirs = replace(other, base=0, first=0, end=kept.end)
        assert shifted == expected([theirs], {offset - kept.end for offset in odd})


@pytest.mark.parametrize("form", ["alone", "enveloped"])
def test_a_changed_byte_is_read_as_the_codec_reads_it_or_not_at_all(form: str) -> None:
    """Above all the bytes that choose a branch or are a boolean, and the lengths."""
    reference = codec("usage.events")
    event = UsageEvent(
        event_id="1", tenant="t", account_id="a", source="\u00fc", occurred_at=NOW, received_at=NOW,
        user_id="u", name="n", feature=None, duration_ms=70, error=True, latency_ms=None,
    )  # fmt: skip
    other = reference.encode(msgspec.structs.replace(event, user_id=None))
    value = reference.encode(event) if form == "alone" else enveloped([other, reference.encode(event), other])
    for at in range(5, len(value)):
        changes = [value[:at] + bytes([byte]) + value[at + 1 :] for byte in range(256)]
        kept = stored(
            [[(b"k", each, []) for each in (*changes, value[:at], value[:at] + b"\0" + value[at:])]]
        )
        columns = read(kept)
        odd = set(columns.odd.tolist())
        try:
            assert decoded_events(columns) == expected(kept, odd)
        except SchemaError:
            pytest.fail(f"byte {at}: the codec refuses what was read")


@pytest.mark.parametrize("number", [0, -1, 1, 63, 64, -64, -65, 2**62, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("longer", [0, 1, 5])
def test_a_number_is_read_however_long_it_is_written(number: int, longer: int) -> None:
    reference = codec("usage.events")
    plain = UsageEvent(
        event_id="1", tenant="t", account_id="a", source="s", occurred_at=NOW, received_at=NOW, name="n",
        latency_ms=number,
    )  # fmt: skip
    value = reference.encode(plain)
    if longer:
        value = value[:-1] + bytes([value[-1] | 0x80]) + b"\x80" * (longer - 1) + b"\0"
    kept = stored([[(b"k", value, [])]])
    columns = read(kept)
    assert decoded_events(columns) == expected(kept, set(columns.odd.tolist()))
    assert len(columns.odd) == 0 or longer


@given(st.binary(min_size=1, max_size=9))
@example("aü€😀".encode())
@example(b"abcdefgh\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"\xc0\x80")
@example(b"\xe0\x9f\xbf")
@example(b"\xf0\x8f\xbf\xbf")
@example(b"\xe2\x82")
def test_text_is_utf_8_as_python_reads_it(text: bytes) -> None:
    plain = UsageEvent(
        event_id="#" * len(text),
        tenant="t",
        account_id="a",
        source="s",
        occurred_at=NOW,
        received_at=NOW,
        name="n",
    )
    value = codec("usage.events").encode(plain).replace(b"#" * len(text), text, 1)
    columns = read(stored([[(b"k", value, [])]]))
    try:
        expected_text = [text.decode()]
    except UnicodeDecodeError:
        expected_text = []
    assert columns.texts(columns.rows, "event_id") == expected_text
    assert columns.odd.tolist() == [0] * (not expected_text)


def test_a_record_hidden_inside_another_is_not_seen() -> None:
    """Bytes left over in a value could be a whole record; sizes must give it away."""
    plain = UsageEvent(
        event_id="1", tenant="acme", account_id="a", source="s", occurred_at=NOW, received_at=NOW, name="n"
    )
    value = codec("usage.events").encode(plain)
    [hidden] = stored([[(b"acme:a", value, [])]])
    smuggled = value + b"\0" + hidden.payload()[:-1]
    kept = stored([[(b"acme:a", smuggled, []), (b"acme:a", value, [])]])
    result = intake().sort(kept, NOW)
    assert [letter.offset for letter in result.dead_letters] == [0]
    assert result.admitted == 1


@given(st.lists(usages, max_size=20), st.integers(0, 3))
def test_identities_and_cells_equal_the_reference(events: list[UsageEvent], days: int) -> None:
    sane = [
        msgspec.structs.replace(
            event, tenant="acme", account_id=event.account_id or "a", event_id=f"{number}{event.event_id}",
            occurred_at=NOW - number % (days + 1) * DAY - number, received_at=NOW + number,
            duration_ms=event.duration_ms and number, latency_ms=event.latency_ms and number + 3,
            feature=event.feature and event.feature[:5],
        )
        for number, event in enumerate(events)
        if not event.account_id or (valid_account(event.account_id) and not is_alias(event.account_id))
    ]  # fmt: skip
    kept = stored([[(b"k", codec("usage.events").encode(each), []) for each in sane]])
    identities = [identity(each.tenant, each.source, each.event_id) for each in sane]
    decoded = UsageReader(committed(), LIMITS, 0, 1).read(kept, Names(), NOW)
    assert [id_ for part in decoded for id_ in part.events["identity"].tolist()] == identities
    result = intake().sort(kept, NOW)
    assert (result.admitted, len(result.dead_letters)) == (len(sane), 0)
    batch = result.batch(0, NOW, [])
    cells = rows_.roll_up([msgspec.structs.asdict(each) for each in sane])
    assert written(result) == codec("account.journal").encode(msgspec.structs.replace(batch, usage=cells))


@given(st.binary(max_size=100), st.integers(0, 2**64 - 1))
def test_hashes_are_those_of_the_package(data: bytes, seed: int) -> None:
    expected_hashes = xxhash.xxh64_intdigest(data, seed), xxhash.xxh32_intdigest(data)
    assert hashes(address(data), len(data), np.uint64(seed)) == expected_hashes


def test_accounts_of_another_partition_are_moved() -> None:
    topics = Topics(partitions=4)
    names = [f"a{i}" for i in range(40)]
    batch = [
        (b"x", codec("usage.events").encode(UsageEvent(
            event_id=n, tenant="acme", account_id=n, source="s", occurred_at=NOW, received_at=NOW, name="n"
        )), [])
        for n in names
    ]  # fmt: skip
    result = intake(topics).sort(stored([batch]), NOW)
    ours = [n for n in names if partition_of(account_key("acme", n), 4) == 0]
    assert sorted(name for _, name in result.usage.names.accounts) == sorted(ours)
    assert result.admitted == len(ours)
    assert len(result.misplaced) == len(names) - len(ours)


def test_aborted_and_cut_batches_are_left_out() -> None:
    random.seed(1)
    [batch] = stored([[(b"k", b"v", [])]])
    cut = batch.raw + batch.raw[: len(batch.raw) // 2]
    batches, following, _ = committed_batches("t", 0, cut, 0, [])
    assert (len(batches), following) == (1, 1)
    transactional = bytearray(batch.raw)
    transactional[22] |= 0x10
    transactional[43:51] = (77).to_bytes(8, "big")
    assert committed_batches("t", 0, bytes(transactional), 0, [(77, 0)]) == ([], 1, -1)
    assert len(committed_batches("t", 0, bytes(transactional), 0, [])[0]) == 1
    with pytest.raises(Exception, match="record format"):
        committed_batches("t", 0, batch.raw[:16] + b"\1" + batch.raw[17:], 0, [])
