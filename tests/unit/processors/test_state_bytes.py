"""State is a wire format: bytes of older builds stay readable."""

from __future__ import annotations

from pathlib import Path

import msgspec

from processors.state.account import State
from processors.state.encoding import decode_head, decode_state, encode_state
from processors.state.position import Position, decode_position, encode_position, position_key

GOLDEN = Path(__file__).parents[2] / "data" / "golden"


def test_state_of_the_first_release_is_readable() -> None:
    state = decode_state((GOLDEN / "state.v1.msgpack").read_bytes())
    assert (state.tenant, state.account_id, state.applied) == ("acme", "Ünïted 7", 7)
    assert state.usage.days[19_675].events == 1
    assert state.tickets["t1"].severity == "urgent"
    assert state.billing.invoices["in_1"].failures == 1
    assert state.fact("owner") == "ann"
    assert state.amount("arr_minor") == 10**9
    assert state.fact("segment") is None


def test_position_of_the_first_release_is_readable() -> None:
    position = decode_position((GOLDEN / "position.v1.msgpack").read_bytes())
    assert position == Position(0, 5, 1_700_000_000_500, 7, 1, 2, 3)


def test_bytes_go_both_ways_and_do_not_depend_on_insertion_order() -> None:
    one, other = State(engagement={"a": 1, "b": 2}), State(engagement={"b": 2, "a": 1})
    assert encode_state(one) == encode_state(other)
    assert decode_state(encode_state(one)) == one
    assert decode_position(encode_position(Position(3))) == Position(3)
    assert decode_head(encode_state(State(sequence=3, due=7, engagement={"a": 1}))) == (3, 7)
    assert decode_head(encode_state(State())) == (-1, None)


def test_a_shorter_state_of_an_older_build_takes_defaults() -> None:
    state = decode_state(msgspec.msgpack.encode(["acme", "a", 3]))
    assert (state.applied, state.sequence, state.band, state.usage.days) == (3, -1, "unknown", {})


def test_a_longer_state_of_a_newer_build_is_readable() -> None:
    fields = msgspec.msgpack.decode(encode_state(State(tenant="acme")), strict=False)
    assert decode_state(msgspec.msgpack.encode([*fields, "new"])).tenant == "acme"


def test_positions_never_collide_with_accounts() -> None:
    assert position_key(3) == b"\0position3"
