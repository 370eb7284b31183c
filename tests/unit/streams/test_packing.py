"""Events that are too many for one journal record become several batches that say the same."""

from __future__ import annotations

import pytest

from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import JournalBatch, SupportEvent, UsageEvent
from schemas.topics import Topics
from streams.journal import packing
from streams.journal.packing import JournalPacker
from streams.journal.sorted_events import SortedEvents
from tests.support.stored_usage import NOW, intake, stored

STARTS = {"usage.events": 5, "support.events": 7}
ENDS = {"usage.events": 45, "support.events": 8}


def sorted_events(accounts: int) -> SortedEvents:
    """One usage event for each account, and one ticket."""
    common = {"tenant": "acme", "source": "s", "occurred_at": NOW, "received_at": NOW}
    usage = [
        UsageEvent(**common, event_id=f"{n}", account_id=f"a{n}", user_id="u", name="n")
        for n in range(accounts)
    ]
    events = intake().sort(
        stored([[(b"k", codec("usage.events").encode(event), []) for event in usage]]), NOW
    )
    ticket = SupportEvent(**common, event_id="t", account_id="a0", kind="opened", ticket_id="1")
    events.events["support.events"] = [
        codec("support.events").decode_fields(codec("support.events").encode(ticket))
    ]
    events.duplicates = 3
    return events


def batches(events: SortedEvents) -> list[JournalBatch]:
    packer = JournalPacker(Topics(partitions=1), committed())
    packed = packer.pack(events, 11, NOW, STARTS, ENDS)
    return [codec("account.journal").decode(value) for _, value in packed]


def test_events_that_fit_are_one_batch() -> None:
    [batch] = batches(sorted_events(40))

    assert (batch.sequence, batch.written_at, batch.duplicates) == (11, NOW, 3)
    assert [(r.topic, r.first, r.next) for r in batch.offsets] == [
        ("usage.events", 5, 45),
        ("support.events", 7, 8),
    ]


def test_events_that_do_not_fit_are_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = batches(sorted_events(40))
    monkeypatch.setattr(packing, "MAX_RECORD_BYTES", 500)

    parts = batches(sorted_events(40))

    assert len(parts) > 2
    assert [part.sequence for part in parts] == list(range(11, 11 + len(parts)))
    assert sorted(cell.account_id for part in parts for cell in part.usage) == [
        cell.account_id for cell in whole.usage
    ]
    assert [ticket for part in parts for ticket in part.support] == whole.support
    assert sum(part.duplicates for part in parts) == whole.duplicates
    # They are one transaction, so only the last one says how far the inputs were read.
    assert all(source.next == source.first for part in parts[:-1] for source in part.offsets)
    assert parts[-1].offsets == whole.offsets


def test_a_single_event_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_RECORD_BYTES", 10)

    with pytest.raises(ValueError, match="too large"):
        batches(sorted_events(1))
