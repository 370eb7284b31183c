"""What became a dead letter is no duplicate of itself, also when the dedupe window is read back later."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from processors.intake.admission import Admission
from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry, committed
from schemas.codec.varint import varint
from schemas.identity.keys import account_key, partition_of
from schemas.records import SupportEvent, UsageEvent
from schemas.times import DAY, HOUR
from schemas.topics import Topics
from streams.journal.set_aside import SetAside
from streams.journal.sorting import EventSorter
from tests.property.streams.test_bad_input import stored as stored_on
from tests.support.stored_usage import LIMITS, NOW, TOPICS, enveloped, intake, records, stored

ENCODE = codec("usage.events").encode
LATER = NOW + 30 * DAY


def event(number: int, **changes: Any) -> UsageEvent:
    fields = {
        "event_id": f"e{number}", "tenant": "acme", "account_id": "a", "source": "s", "occurred_at": NOW,
        "received_at": NOW, "name": "n",
    }  # fmt: skip
    return UsageEvent(**(fields | changes))


AHEAD = [ENCODE(event(n, occurred_at=NOW + (n % 2) * DAY)) for n in range(4)]


def read_back(sorter: EventSorter, batches: list[Any], letters: list[Any]) -> EventSorter:
    """A sorter of another process that has filled its windows from the log."""
    fresh = intake()
    fresh.restorer(SetAside(letters, 0)).sort(batches, 0)
    return fresh


@given(records)
@example([(None, value, []) for value in AHEAD])
@example([(None, enveloped(AHEAD), []), (None, enveloped(AHEAD), [])])
def test_a_window_read_back_holds_what_was_admitted(given_records: list[Any]) -> None:
    batches, before = stored([given_records]), intake()
    sorted_ = before.sort(batches, NOW)
    after = read_back(before, batches, sorted_.dead_letters)
    name = "usage.events"
    assert after.deduped_events(name) == before.deduped_events(name) == sorted_.admitted

    again_before, again_after = (sorter.sort(batches, LATER) for sorter in (before, after))
    assert again_after.duplicates == again_before.duplicates
    assert again_after.admitted == again_before.admitted


def test_events_from_the_future_are_applied_once_when_their_time_has_come() -> None:
    batches = stored([[(None, enveloped(AHEAD), []), (None, AHEAD[1], [])]])
    before = intake()
    sorted_ = before.sort(batches, NOW)
    assert [letter.reason for letter in sorted_.dead_letters] == ["from_future"] * 3
    after = read_back(before, batches, sorted_.dead_letters)
    sent_again = stored([[(None, value, []) for value in AHEAD]])
    for sorter in (before, after):
        came = sorter.sort(sent_again, LATER)
        assert (came.admitted, came.duplicates) == (2, 2)


def test_limits_that_changed_since_forget_nobody() -> None:
    ahead = stored([[(None, ENCODE(event(1, occurred_at=NOW + HOUR // 2)), [])]])
    assert intake().sort(ahead, NOW).admitted == 1
    strict = EventSorter(TOPICS, 0, committed(), Admission(90 * DAY, 0), 1_000)
    strict.restorer(SetAside()).sort(ahead, 0)
    assert strict.sort(ahead, LATER).duplicates == 1


def test_a_schema_that_is_registered_later_makes_no_duplicate() -> None:
    known = committed()
    ticket = SupportEvent(
        event_id="1", tenant="acme", account_id="a", source="s", occurred_at=NOW, received_at=NOW,
        kind="opened", ticket_id="t",
    )  # fmt: skip
    foreign = b"\0" + (4711).to_bytes(4, "big")
    schema = known.readers["support.events-value"]
    served: Registry = known.with_ids(known.ids, lambda found: schema if found == 4711 else None)
    topic, value = "support.events", foreign + codec("support.events").encode(ticket)[5:]
    batches = stored_on(topic, [(account_key("acme", "a"), value)])
    before = intake().sort(batches, NOW)
    assert [letter.reason for letter in before.dead_letters] == ["unknown_schema"]

    after = EventSorter(TOPICS, 0, served, LIMITS, 1_000)
    after.restorer(SetAside(before.dead_letters, 0)).sort(batches, 0)
    assert after.sort(batches, NOW).admitted == 1


@given(st.integers(-1, 3))
def test_an_index_of_an_envelope_stands_for_one_event_and_a_record_for_all(index: int) -> None:
    letters = intake().sort(stored([[(None, enveloped(AHEAD), [])]]), NOW).dead_letters
    apart = SetAside(letters, 0)
    assert apart.holds("usage.events", 0, index) == (index in (1, 3))
    whole = SetAside(intake().sort(stored([[(None, b"garbage", [])]]), NOW).dead_letters, 0)
    assert whole.holds("usage.events", 0, index)
    assert not whole.holds("usage.events", 1, index)
    assert not SetAside(letters, 1)


def test_a_record_too_large_to_be_moved_is_set_aside() -> None:
    known, four = committed(), Topics(partitions=4)
    schema = json.loads(json.dumps(known.readers["support.events-value"]))
    schema["fields"].append({"name": "body", "type": "string"})
    served = known.with_ids(known.ids, lambda found: schema if found == 4711 else None)
    ticket = SupportEvent(
        event_id="1", tenant="acme", account_id="a", source="s", occurred_at=NOW, received_at=NOW,
        kind="opened", ticket_id="t",
    )  # fmt: skip
    target = partition_of(account_key("acme", "a"), 4)
    for size, moved in ((1_000, True), (5_000_000, False)):
        text = varint(size) + b"x" * size
        value = b"\0" + (4711).to_bytes(4, "big") + codec("support.events").encode(ticket)[5:] + text
        batches = stored_on("support.events", [(None, value)])
        elsewhere = EventSorter(four, (target + 1) % 4, served, LIMITS, 1_000)
        sorted_ = elsewhere.sort(batches, NOW)
        assert (len(sorted_.misplaced), len(sorted_.dead_letters)) == (moved, not moved)
    assert sorted_.dead_letters[0].reason == "invalid"
    assert f"partition {target}" in sorted_.dead_letters[0].detail


def test_a_topic_made_anew_has_dead_letters_of_its_own() -> None:
    batches = stored([[(None, AHEAD[1], []), (None, b"garbage", [])]])
    letters = []
    for topic_id in (b"", b"1" * 16, b"2" * 16):
        sorter = intake()
        sorter.topic_ids["usage.events"] = topic_id
        letters += sorter.sort(batches, NOW).dead_letters
    assert len({letter.id for letter in letters}) == 6
    assert SetAside(letters[2:4], 0, {"usage.events": b"1" * 16}).holds("usage.events", 1)
    assert not SetAside(letters[2:4], 0, {"usage.events": b"2" * 16})
    assert SetAside(letters[:2], 0, {"usage.events": b"2" * 16})  # of an older release: it may be the same
