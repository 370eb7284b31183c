"""The columnar path and the reference codec make the same journal of any input."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors import rows as rows_
from processors.admit import identity
from processors.columns import SCHEMA, identities, roll_up
from schemas.codec import codec
from schemas.columns import Columns, NotColumnarError
from schemas.errors import SchemaError
from schemas.keys import account_key, partition_of
from schemas.records import UsageEvent
from schemas.registry import committed
from schemas.topics import Topics
from streams.fetch import split
from tests.wire import NOW, content, damaged, encoded, in_rows, intake, one_by_one, records, stored, usages


@given(st.lists(records, max_size=3), st.sampled_from((0, 3, 4)))
@example([[(b"k", b"\0\0\0\0\1" + b"\2a\2t\2a\2s", [])]], 0)
def test_all_paths_give_the_same_journal(batches: list[Any], compression: int) -> None:
    kept = stored(batches, compression)
    assert content(intake().sort(kept, NOW)) == content(one_by_one(kept)) == content(in_rows(kept))


@given(st.lists(st.tuples(st.just(b"acme:a"), encoded, st.just([])), min_size=1, max_size=8))
def test_what_a_producer_writes_is_read_in_columns(batch: list[Any]) -> None:
    [kept] = stored([batch])
    frame = Columns(committed()).read([(kept.payload(), kept.count)])
    expected = [codec("usage.events").decode_fields(value) for _, value, _ in batch]
    assert frame.drop("offset_delta").rows(named=True) == expected
    assert frame["offset_delta"].to_list() == list(range(len(batch)))


@given(st.lists(st.tuples(st.just(b"acme:a"), damaged(), st.just([])), min_size=1, max_size=4))
def test_columns_never_read_what_the_codec_refuses(batch: list[Any]) -> None:
    [kept] = stored([batch])
    try:
        frame = Columns(committed()).read([(kept.payload(), kept.count)])
    except NotColumnarError:
        return
    expected = [codec("usage.events").decode_fields(value) for _, value, _ in batch]
    assert frame.drop("offset_delta").rows(named=True) == expected


@pytest.mark.parametrize("form", ["whole batches", "bodies"])
def test_a_changed_byte_is_read_as_the_codec_reads_it_or_not_at_all(form: str) -> None:
    """Above all the bytes that choose a branch or are a boolean, which a columnar reader takes lightly."""
    columns, reference = Columns(committed()), codec("usage.events")
    event = UsageEvent(
        event_id="1", tenant="t", account_id="a", source="s", occurred_at=NOW, received_at=NOW,
        user_id="u", name="n", feature=None, duration_ms=70, error=True, latency_ms=None,
    )  # fmt: skip
    value, other = reference.encode(event), reference.encode(msgspec.structs.replace(event, user_id=None))
    for at in range(5, len(value)):
        for byte in (0, 1, 2, 3, 4, 5, 6, 7, 8, 64, 126, 127, 128, 129, 255):
            changed = value[:at] + bytes([byte]) + value[at + 1 :]
            batch = [other, changed, other]
            try:
                if form == "bodies":
                    frame = columns.read_bodies([b for b in map(columns.body, batch) if b is not None])
                else:
                    [kept] = stored([[(b"k", each, []) for each in batch]])
                    frame = columns.read([(kept.payload(), kept.count)]).drop("offset_delta")
            except NotColumnarError:
                continue
            try:
                assert frame.rows(named=True) == [reference.decode_fields(each) for each in batch]
            except SchemaError:
                pytest.fail(f"byte {at} as {byte}: the codec refuses what was read")


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
    assert [letter.offset for letter in result.dead] == [0]
    assert result.admitted == 1


@given(st.lists(usages, max_size=20))
def test_identities_and_cells_equal_the_reference(events: list[UsageEvent]) -> None:
    import polars as pl

    small = [msgspec.structs.replace(e, duration_ms=5, latency_ms=None, occurred_at=NOW) for e in events]
    rows = [msgspec.structs.asdict(event) for event in small]
    frame = pl.DataFrame(rows, schema=SCHEMA)
    assert identities(frame).tolist() == [identity(e.tenant, e.source, e.event_id) for e in small]
    assert roll_up(frame) == rows_.roll_up(rows)


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
    assert sorted(result.usage["account_id"]) == sorted(ours)
    assert len(result.moved) == len(names) - len(ours)


def test_aborted_and_cut_batches_are_left_out() -> None:
    random.seed(1)
    [one] = stored([[(b"k", b"v", [])]])
    cut = one.raw + one.raw[: len(one.raw) // 2]
    batches, following = split("t", 0, cut, 0, [])
    assert (len(batches), following) == (1, 1)
    transactional = bytearray(one.raw)
    transactional[22] |= 0x10
    transactional[43:51] = (77).to_bytes(8, "big")
    assert split("t", 0, bytes(transactional), 0, [(77, 0)]) == ([], 1)
    assert len(split("t", 0, bytes(transactional), 0, [])[0]) == 1
    with pytest.raises(Exception, match="record format"):
        split("t", 0, one.raw[:16] + b"\1" + one.raw[17:], 0, [])
