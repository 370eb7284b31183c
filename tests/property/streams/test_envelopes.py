"""Events in envelopes make the same journal as the same events one by one, whatever else is on the topic."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec.envelope import MAX_EVENTS, Envelopes
from schemas.codec.errors import EnvelopeTooLargeError, UndecodableError
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.records import UsageEvent
from schemas.times import DAY
from schemas.topics import Topics
from streams.journal.sorted_events import SortedEvents
from streams.kafka.headers import INDEX_HEADER
from tests.support.stored_usage import NOW, damaged, enveloped, intake, one_by_one, stored, usages
from tests.support.stored_usage import written as journal

ENCODE = codec("usage.events").encode
FOUR = Topics(partitions=4)


def event(number: int, **changes: Any) -> UsageEvent:
    given_fields = {
        "event_id": f"e{number}", "tenant": "acme", "account_id": "a", "source": "s", "occurred_at": NOW,
        "received_at": NOW, "name": "n",
    }  # fmt: skip
    return UsageEvent(**(given_fields | changes))


def outcome(result: SortedEvents) -> Any:
    """What became of each event, wherever it stood."""
    return (
        journal(result),
        sorted(
            (x.reason, x.detail, x.pointer or "", x.key or b"", x.value or b"") for x in result.dead_letters
        ),
        sorted((partition, key, record.value or b"") for _, partition, key, record in result.misplaced),
        result.read_by_topic,
    )


garbage = damaged() | st.binary(max_size=20) | st.none()
runs = st.lists(
    st.tuples(st.booleans(), st.lists(usages, min_size=1, max_size=5)) | garbage,
    max_size=5,
)


def alone(each: UsageEvent) -> tuple[bytes, bytes, list[Any]]:
    return account_key(each.tenant, each.account_id), ENCODE(each), []


def written(given_runs: list[Any], *, envelopes: bool) -> list[tuple[Any, Any, Any]]:
    """The records of these runs: each in an envelope where it says so and *envelopes* are wanted."""
    records_: list[tuple[Any, Any, Any]] = []
    for run in given_runs:
        match run:
            case (True, events) if envelopes:
                records_.append((b"k", enveloped([ENCODE(each) for each in events]), []))
            case (_, events):
                records_ += [alone(each) for each in events]
            case value:
                records_.append((b"k", value, []))
    return records_


def cut(records: list[Any], size: int) -> list[Any]:
    return stored([records[at : at + size] for at in range(0, len(records), size)])


@given(runs, st.integers(1, 12), st.integers(1, 12))
def test_envelopes_make_the_journal_of_their_events(
    given_runs: list[Any], size: int, other_size: int
) -> None:
    single = cut(written(given_runs, envelopes=False), size)
    packed = cut(written(given_runs, envelopes=True), other_size)
    expected = outcome(intake(FOUR).sort(single, NOW))
    assert outcome(intake(FOUR).sort(packed, NOW)) == expected
    assert outcome(one_by_one(packed, FOUR)) == expected


@given(runs, st.integers(1, 12))
def test_every_event_ends_as_exactly_one_thing(given_runs: list[Any], size: int) -> None:
    result = intake(FOUR).sort(cut(written(given_runs, envelopes=True), size), NOW)
    assert result.total == result.read_by_topic.total() == len(written(given_runs, envelopes=False))


@given(st.lists(usages, max_size=8))
def test_packing_and_unpacking_give_the_events_back(events: list[UsageEvent]) -> None:
    packed = list(Envelopes().pack(map(ENCODE, events)))
    unpacked = [fields for value, _ in packed for fields in Envelopes().unpack(value)]
    assert unpacked == [msgspec.structs.asdict(each) for each in events]
    assert [holds for _, holds in packed] == ([len(events)] if events else [])


def test_a_bad_event_costs_an_envelope_nothing_but_itself() -> None:
    """What leaves the envelope is a record of one event that says where it was."""
    ours = next(f"a{n}" for n in range(99) if partition(f"a{n}") == 0)
    theirs = next(f"a{n}" for n in range(99) if partition(f"a{n}") == 3)
    events = [event(n, account_id=ours) for n in range(100)]
    events[7] = event(7, account_id=ours, occurred_at=NOW - 200 * DAY)
    events[50] = event(50, account_id=theirs)
    events[99] = event(99, account_id="")
    record = (b"whose?", enveloped([ENCODE(each) for each in events]), [("trace", b"1")])
    result = intake(FOUR).sort(stored([[record]]), NOW)

    assert (result.admitted, result.duplicates, result.read_by_topic["usage.events"]) == (97, 0, 100)
    late, bad = sorted(result.dead_letters, key=lambda letter: letter.reason, reverse=True)
    assert (late.reason, late.offset, late.key, late.value) == (
        "too_late", 0, account_key("acme", ours), ENCODE(events[7]),
    )  # fmt: skip
    assert late.headers == {"trace": b"1", INDEX_HEADER: b"7"}
    assert (bad.reason, bad.pointer, bad.headers[INDEX_HEADER]) == ("invalid", "/account_id", b"99")
    assert late.id != bad.id
    [(_, where, key, moved)] = result.misplaced
    assert (where, key, moved.value) == (3, account_key("acme", theirs), ENCODE(events[50]))


def partition(account: str) -> int:
    return partition_of(account_key("acme", account), 4)


@pytest.mark.parametrize("read", [lambda b: intake().sort(b, NOW), one_by_one], ids=["columns", "one by one"])
def test_an_envelope_holds_so_many_events_and_no_more(read: Any) -> None:
    values = [ENCODE(event(n)) for n in range(MAX_EVENTS + 1)]
    full, over = enveloped(values[1:]), enveloped(values)
    result = read(stored([[(b"k", over, []), (b"k", full, []), (b"k", enveloped([]), [])]]))

    assert result.admitted == MAX_EVENTS
    [letter] = result.dead_letters
    assert (letter.reason, letter.pointer, letter.value, letter.headers) == ("invalid", "/events", over, {})
    assert "10001 events" in letter.detail
    with pytest.raises(EnvelopeTooLargeError):
        Envelopes().unpack(over)


def test_packing_stays_within_the_limits() -> None:
    """By number and by size; an event that is alone, or too large for company, stays a plain record."""
    small, large = ENCODE(event(1)), ENCODE(event(2, name="n" * 800_000))
    assert [events for _, events in Envelopes().pack([small] * 10_001)] == [10_000, 1]
    packed = list(Envelopes().pack([small, large, large, small]))
    assert [events for _, events in packed] == [2, 2]
    assert all(len(value) < 900_100 for value, _ in packed)
    assert list(Envelopes().pack([large])) == [(large, 1)]
    with pytest.raises(ValueError, match="newest schema"):
        list(Envelopes().pack([b"\0\0\0\0\1", b"\0\0\0\0\2"]))


@pytest.mark.parametrize(
    "end", [b"", b"\2", b"\0\0", b"\xff" * 11, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1"]
)
def test_a_broken_envelope_is_undecodable_as_a_whole(end: bytes) -> None:
    broken = enveloped([])[:5] + end
    with pytest.raises(UndecodableError):
        Envelopes().unpack(broken)
    result = intake().sort(stored([[(b"k", broken, []), (b"k", ENCODE(event(1)), [])]]), NOW)
    assert [(letter.reason, letter.value) for letter in result.dead_letters] == [("undecodable", broken)]
    assert result.admitted == 1
