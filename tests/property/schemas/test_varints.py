"""Avro's integers, in plain Python and in compiled code, are those of the reference codec."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from fastavro import schemaless_writer
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec.varint import read_varint, varint
from schemas.columnar.compiled import address, compiled
from schemas.columnar.varint import MAX_VARINT_BYTES, NOWHERE
from schemas.columnar.varint import read_varint as read_compiled
from schemas.columnar.varint import write_varint as write_compiled

longs = st.integers(-(2**63), 2**63 - 1)


def reference(number: int) -> bytes:
    out = BytesIO()
    schemaless_writer(out, {"type": "long"}, number)
    return out.getvalue()


@compiled
def read(at, end):
    return read_compiled(at, end)


@compiled
def write(out, number):
    return write_compiled(out, 0, number)


@given(longs)
@example(2**63 - 1)
@example(-(2**63))
def test_numbers_are_read_and_written_as_by_the_reference(number: int) -> None:
    data = reference(number)
    out = np.zeros(MAX_VARINT_BYTES, np.uint8)
    start = address(data)

    assert read_varint(b"x" + data + b"x", 1) == (number, 1 + len(data))
    assert read(start, start + len(data)) == (number, start + len(data))
    assert out[: write(out, number)].tobytes() == data
    if number >= 0:
        assert varint(number) == data


@given(longs, st.data())
def test_a_number_that_is_cut_off_is_refused(number: int, draws: st.DataObject) -> None:
    data = reference(number)[: draws.draw(st.integers(0, len(reference(number)) - 1))]
    held = data + b"\1"  # of no bytes there is no address
    start = address(held)

    assert read(start, start + len(data))[1] == NOWHERE
    with pytest.raises(ValueError, match="end within"):
        read_varint(data, 0)


def test_a_number_of_more_than_ten_bytes_is_refused() -> None:
    data = b"\x80" * 20 + b"\1"
    start = address(data)

    assert read(start, start + len(data))[1] == NOWHERE
    with pytest.raises(ValueError, match="ten bytes"):
        read_varint(data, 0)


def test_nothing_is_read_from_nowhere() -> None:
    data = b"\1"
    assert read(int(NOWHERE), address(data) + 1)[1] == NOWHERE
