"""Health records written with caches are read, and refused, as the reference codec does."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec.errors import SchemaError, UndecodableError
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import BAND_ORDER, AccountHealth, Cap, Measure

SCHEMA = committed().readers["account.health-value"]
CODEC = codec("account.health")
PREFIX = 5

texts = st.text(max_size=12)
numbers = st.floats(allow_nan=False)
longs = st.integers(-(2**63), 2**63 - 1)
maybe = st.none()
measures = st.builds(
    Measure,
    name=texts,
    value=maybe | numbers,
    unit=texts,
    score=maybe | numbers | st.integers(0, 100),
    weight=numbers,
    contribution=numbers,
    reason=texts | st.just("long " * 3_000),
)
caps = st.builds(Cap, name=texts, limit=numbers, contribution=numbers, until=maybe | longs, reason=texts)
healths = st.builds(
    AccountHealth,
    tenant=texts,
    account_id=texts,
    name=maybe | texts,
    arr_minor=maybe | longs,
    score=numbers,
    band=st.sampled_from(("unknown", *BAND_ORDER)),
    previous_score=maybe | numbers,
    coverage=numbers,
    measures=st.lists(measures, max_size=4),
    caps=st.lists(caps, max_size=2),
    reasons=st.lists(texts, max_size=3),
    open_alerts=st.lists(texts, max_size=2),
    model=texts,
    model_version=texts,
    as_of=longs,
    received_at=maybe | longs,
    partition=st.integers(0, 100),
    sequence=longs,
)


def reference(data: bytes) -> AccountHealth:
    stream = BytesIO(data[PREFIX:])
    fields: Any = schemaless_reader(stream, SCHEMA, SCHEMA)
    if stream.read():
        raise UndecodableError("left over")
    return msgspec.convert(fields, AccountHealth)


@given(healths)
def test_the_reference_reads_what_the_cached_codec_writes(record: AccountHealth) -> None:
    data = CODEC.encode(record)
    assert reference(data) == record
    assert CODEC.decode(data) == record


@given(healths)
def test_the_cached_codec_reads_what_the_reference_writes(record: AccountHealth) -> None:
    out = BytesIO(CODEC.encode(record)[:PREFIX])
    out.seek(PREFIX)
    schemaless_writer(out, SCHEMA, msgspec.to_builtins(record))
    assert CODEC.decode(out.getvalue()) == record


@given(healths, st.data())
def test_broken_bytes_are_read_or_refused_as_by_the_reference(
    record: AccountHealth, data: st.DataObject
) -> None:
    whole = bytearray(CODEC.encode(record))
    CODEC.decode(bytes(whole))  # so that the caches hold the items of the whole bytes
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(PREFIX, len(whole) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(whole[: data.draw(st.integers(PREFIX, len(whole)))])
    try:
        expected = reference(broken)
    except Exception:  # fastavro raises many types for broken bytes
        with pytest.raises(UndecodableError):
            CODEC.decode(broken)
    else:
        assert repr(CODEC.decode(broken)) == repr(expected)  # NaN does not equal itself


@given(healths)
@example(
    AccountHealth(
        tenant="t",
        account_id="a",
        score=1.0,
        band="watch",
        previous_score=None,
        coverage=1.0,
        measures=[],
        caps=[Cap(name="c", limit=0.0, contribution=-0.0, until=None, reason="r")],
        reasons=[],
        open_alerts=[],
        model="m",
        model_version="1",
        as_of=1,
        received_at=None,
        partition=0,
        sequence=0,
    )
)
def test_bytes_do_not_depend_on_what_was_written_before(record: AccountHealth) -> None:
    fresh = codec("account.health")
    assert fresh.encode(record) == CODEC.encode(record)
    turned = msgspec.structs.replace(
        record, caps=[msgspec.structs.replace(cap, contribution=-0.0) for cap in record.caps]
    )
    plain = msgspec.structs.replace(
        record, caps=[msgspec.structs.replace(cap, contribution=0.0) for cap in record.caps]
    )
    assert fresh.encode(turned) == fresh.encode(plain)


few_texts = st.sampled_from(("", "a", "ab"))
alike = st.sampled_from((0, 0.0, -0.0, False, 1, 1.0, True, 2.5))
"""Values of which some are equal and have other bytes, or don't fit the field."""

plain = st.builds(
    AccountHealth,
    tenant=few_texts,
    account_id=few_texts,
    name=maybe | few_texts,
    arr_minor=maybe | st.integers(0, 1) | alike,
    currency=maybe | few_texts,
    score=alike,
    band=st.sampled_from(BAND_ORDER),
    previous_score=maybe | st.integers(0, 1) | alike,
    coverage=alike,
    measures=st.just([]),
    caps=st.just([]),
    reasons=st.lists(few_texts, max_size=2),
    open_alerts=st.lists(few_texts, max_size=1),
    model=few_texts,
    model_version=few_texts,
    as_of=alike,
    received_at=maybe | st.integers(0, 1) | alike,
    partition=alike,
    sequence=alike,
    scale=alike,
    band_since=maybe | st.integers(0, 1) | alike,
    parent_id=maybe | few_texts,
)


@settings(max_examples=400)
@given(plain)
def test_plain_fields_are_written_as_the_reference_writes_them(record: AccountHealth) -> None:
    """Byte for byte, where there is no array of records, whichever equal values were written before."""
    out = BytesIO()
    try:
        schemaless_writer(out, SCHEMA, msgspec.structs.asdict(record))
    except (TypeError, ValueError):
        with pytest.raises(SchemaError):
            CODEC.encode(record)
    else:
        data = CODEC.encode(record)
        assert data[PREFIX:] == out.getvalue()
        assert repr(CODEC.decode(data)) == repr(reference(data))


def test_a_value_that_does_not_fit_is_refused() -> None:
    measure = Measure(name="n", value=None, unit="u", score=None, weight=1.0, contribution=0.0, reason=None)  # type: ignore[arg-type]
    record = AccountHealth(
        tenant="t",
        account_id="a",
        score=1.0,
        band="watch",
        previous_score=None,
        coverage=1.0,
        measures=[measure],
        caps=[],
        reasons=[],
        open_alerts=[],
        model="m",
        model_version="1",
        as_of=1,
        received_at=None,
        partition=0,
        sequence=0,
    )
    with pytest.raises(SchemaError, match=r"account\.health"):
        CODEC.encode(record)
