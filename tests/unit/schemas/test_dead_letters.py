"""A dead letter holds its input whole, with a stable id and a reason from the closed set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import pytest

from schemas.codec.record_codec import codec
from schemas.records import DeadLetter, dead_letters
from schemas.records.dead_letters import MAX_WHOLE_BYTES, REASONS
from schemas.topics import MAX_DEAD_LETTER_BYTES, MAX_MESSAGE_BYTES


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


@pytest.mark.parametrize(
    "fields",
    [
        {"value": b"x" * 9_000_000},
        {"value": b"x" * MAX_WHOLE_BYTES, "key": b"k" * 9_000_000},
        {"value": b"x", "headers": {f"h{n}": b"v" * 1_000 for n in range(9_000)}},
        {"value": None, "headers": {"h": b"v" * 9_000_000, "bellbuoy-envelope-index": b"3"}},
        {"value": b"x" * 100, "key": b"k" * MAX_WHOLE_BYTES},
        {"value": b"x", "detail": "d" * 9_000_000, "producer": "p" * 9_000_000, "tenant": "t" * 9_000_000},
    ],
)
def test_the_letter_of_a_record_of_any_size_can_be_written(fields: dict[str, object]) -> None:
    letter = of_record(**fields)

    assert len(codec("events.deadletter").encode(letter)) < 300_000
    assert letter.id == of_record().id
    value = fields["value"]
    if isinstance(value, bytes) and len(value) > 65_536:
        assert letter.cut
        assert letter.value == value[:65_536]
        assert (letter.value_bytes, letter.value_sha256) == (len(value), hashlib.sha256(value).hexdigest())
    else:
        assert (letter.cut, letter.value, letter.value_sha256) == (False, value, None)
    if "bellbuoy-envelope-index" in fields.get("headers", {}):  # type: ignore[operator]
        assert letter.headers == {"bellbuoy-envelope-index": b"3"}


def test_a_record_that_fits_is_kept_whole() -> None:
    letter = of_record(value=b"x" * (MAX_WHOLE_BYTES - 3), key=b"k", headers={"a": b"b"})

    assert (letter.cut, letter.value_bytes, len(letter.value or b"")) == (False, 0, MAX_WHOLE_BYTES - 3)
    repaired = msgspec.structs.replace(letter, mended=b"y" * MAX_MESSAGE_BYTES)
    assert len(codec("events.deadletter").encode(repaired)) < MAX_DEAD_LETTER_BYTES - 10_000
