"""Positions and the logs that they are of: what is found to be wrong, and the bytes that positions have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.log_faults import LogState, fault_of
from streams.kafka.log_position import LogPosition, decode_positions, encode_positions

PART = ("usage.events", 0)
ID, OTHER = b"abcd", b"efgh"


@pytest.mark.parametrize(
    ("position", "log", "kind", "resume"),
    [
        (LogPosition(50, ID, 3), LogState(ID, 4, 0, 50, 3, 50), None, None),
        (LogPosition(50, ID, 3), LogState(ID, 4, 50, 90, 3, 60), None, None),
        (LogPosition(50, OTHER, 3), LogState(ID, 4, 0, 500, 3, 500), "made_anew", 0),
        (LogPosition(50, ID, 3), LogState(ID, 4, 60, 90, 3, 90), "head_gone", 60),
        (LogPosition(50, ID, 3), LogState(ID, 4, 0, 90, 3, 40), "tail_gone", 40),
        (LogPosition(50, ID, 3), LogState(ID, 4, 0, 40, -1, -1), "tail_gone", 40),
        (LogPosition(50), LogState(ID, 4, 0, 40), "tail_gone", 40),
        (LogPosition(50), LogState(ID, 4, 0, 90), None, None),
        (LogPosition(50, ID, 3), LogState(ID, 8, 0, 90, 3, 90), "partitions_added", 50),
    ],
)
def test_a_fault_says_what_happened_and_where_to_go_on(
    position: LogPosition, log: LogState, kind: str | None, resume: int | None
) -> None:
    fault = fault_of(PART, position, log, 4)
    if kind is None:
        assert fault is None
    else:
        assert fault is not None
        assert (fault.kind, fault.resume.offset) == (kind, resume)
        assert "usage.events" in fault.sentence


ids = st.one_of(st.just(b""), st.binary(min_size=4, max_size=4).filter(any))


@given(st.lists(st.builds(LogPosition, st.integers(0, 2**62), ids, st.integers(-1, 2**31 - 1))))
def test_positions_are_read_back_as_written(positions: list[LogPosition]) -> None:
    assert decode_positions(encode_positions(positions)) == positions


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes end"):
        decode_positions(encode_positions([LogPosition(7, ID, 1)])[:-1])
