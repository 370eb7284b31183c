"""Dead letters: whole, with a stable id."""

from __future__ import annotations

import pytest

from schemas.codec.record_codec import codec
from schemas.records import DeadLetter
from schemas.records.dead_letters import REASONS, dead_letter


def letter(**fields: object) -> DeadLetter:
    given = {"reason": "invalid", "detail": "no", "topic": "usage.events", "value": b"{}", "failed_at": 1}
    return dead_letter(**(given | fields))  # type: ignore[arg-type]


def test_same_position_same_id_whatever_the_time() -> None:
    assert letter(partition=1, offset=7).id == letter(partition=1, offset=7, failed_at=2, value=b"x").id


@pytest.mark.parametrize("other", [{"offset": 8}, {"partition": 2}, {"topic": "billing.events"}])
def test_another_position_another_id(other: dict[str, object]) -> None:
    at = {"partition": 1, "offset": 7}
    assert letter(**at).id != letter(**(at | other)).id


def test_without_a_position_the_content_decides() -> None:
    assert letter(value=b"a").id == letter(value=b"a", failed_at=9).id
    assert letter(value=b"a").id != letter(value=b"b").id
    assert letter(key=b"a", value=b"bc").id != letter(key=b"ab", value=b"c").id
    assert letter(value=None).id != letter(value=b"").id


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_survives_the_wire(reason: str) -> None:
    given = letter(reason=reason, key=b"\xff", headers={"a": b"\0"}, producer="p", tenant="t")
    topic = codec("events.deadletter")

    assert topic.decode(topic.encode(given)) == given


def test_a_reason_outside_the_set_is_refused() -> None:
    with pytest.raises(ValueError, match="use one of undecodable"):
        letter(reason="unknown")
