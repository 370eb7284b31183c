"""A dead letter holds its input whole, with a stable id and a reason from the closed set."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.codec.record_codec import codec
from schemas.records import DeadLetter, dead_letters
from schemas.records.dead_letters import REASONS


def of_record(**fields: object) -> DeadLetter:
    given = {"reason": "invalid", "detail": "no", "topic": "usage.events", "partition": 1, "offset": 7}
    return dead_letters.of_record(**(given | {"value": b"{}", "failed_at": 1} | fields))  # type: ignore[arg-type]


def of_request(**fields: object) -> DeadLetter:
    given = {"reason": "invalid", "detail": "no", "pointer": "/name", "topic": "usage.events", "body": b"{}"}
    sender = {"producer": "segment", "tenant": "acme", "failed_at": 1}
    return dead_letters.of_request(**(given | sender | fields))  # type: ignore[arg-type]


def test_a_record_has_the_id_of_its_position() -> None:
    assert of_record().id == of_record(failed_at=2, value=b"x", key=b"k").id
    assert of_record().id == of_record(index=0).id


@pytest.mark.parametrize(
    "other", [{"offset": 8}, {"partition": 2}, {"topic": "billing.events"}, {"index": 1}]
)
def test_another_position_has_another_id(other: dict[str, object]) -> None:
    assert of_record().id != of_record(**other).id


def test_a_retried_request_has_the_id_of_its_event() -> None:
    assert (
        of_request().id == of_request(failed_at=9, detail="other", producer="api", topic="billing.events").id
    )
    assert of_request().id != of_request(body=b"{ }").id
    assert of_request().id != of_request(tenant="other").id


def test_ids_are_those_of_every_release() -> None:
    """An id that changed would make a second dead letter of input that has one already."""
    assert of_record().id == "120b7fa97591b5608f5555d1675ac733"
    assert of_record(index=3).id == "41e9010cf880a268020f32abf4e26cce"
    assert of_request().id == "ab2bfe59e6c3fb3e7f9f986073f2e190"


def test_a_request_has_no_position() -> None:
    letter = of_request(body=b"raw", headers={"kind": b"track"})

    assert (letter.partition, letter.offset, letter.key) == (-1, -1, None)
    assert (letter.value, letter.headers) == (b"raw", {"kind": b"track"})


@pytest.mark.parametrize("make", [of_record, of_request])
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_survives_the_wire(make: Callable[..., DeadLetter], reason: str) -> None:
    given = make(reason=reason, headers={"a": b"\0"}, producer="p", tenant="t")
    topic = codec("events.deadletter")

    assert topic.decode(topic.encode(given)) == given


def test_text_of_a_request_that_is_no_utf_8_can_be_written() -> None:
    letter = of_request(detail="not \ud800", pointer="/\ud800")

    assert (letter.detail, letter.pointer) == ("not ?", "/?")


@pytest.mark.parametrize("make", [of_record, of_request])
def test_a_reason_outside_the_set_is_refused(make: Callable[..., DeadLetter]) -> None:
    with pytest.raises(ValueError, match="use one of undecodable"):
        make(reason="unknown")
