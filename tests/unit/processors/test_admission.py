"""What may enter the journal, at each edge."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.fold.due import DueHeap
from processors.intake.admission import Admission, admit
from processors.intake.columnar_admission import Names, admissible
from processors.owners.notifications import owner_alert
from processors.state.account import State
from processors.state.encoding import encode_state
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.columnar.usage_decoder import BatchRecords, UsageDecoder
from schemas.identity.aliases import alias_of_domain
from schemas.identity.owners import OWNERS
from schemas.records import UsageEvent
from schemas.times import DAY
from streams.journal.dedupe import DedupeWindow
from tests.support.fold_partitions import link
from tests.support.owner_alerts import risk_alert
from tests.support.stored_usage import stored

NOW = 20_000 * DAY
LIMITS = Admission(horizon_ms=90 * DAY, future_ms=3_600_000)


def event(**changes: Any) -> dict[str, Any]:
    made = UsageEvent(
        event_id="1", tenant="acme", account_id="a", source="s", occurred_at=NOW, received_at=NOW, name="n"
    )
    return msgspec.structs.asdict(made) | changes


def test_only_alerts_and_acts_on_them_may_be_of_the_owners() -> None:
    """An alert on its way may be as old as the journal; its worker has made it at the journal's time."""
    alert = msgspec.structs.asdict(owner_alert(risk_alert(opened_at=NOW, changed_at=NOW)))
    assert alert["account_id"] == OWNERS
    assert admit(alert, NOW + 400 * DAY, LIMITS) is None
    assert admit(event(account_id=OWNERS) | {"alert_id": "x", "kind": "resolved"}, NOW, LIMITS) is None
    for other in (event(account_id=OWNERS), event(account_id="~owner:x") | {"alert_id": "x"}):
        refusal = admit(other, NOW, LIMITS)
        assert refusal is not None
        assert (refusal.reason, refusal.pointer) == ("invalid", "/account_id")


@pytest.mark.parametrize(
    ("changes", "reason", "pointer"),
    [
        ({}, None, None),
        ({"occurred_at": NOW - 90 * DAY}, None, None),
        ({"occurred_at": NOW - 90 * DAY - 1}, "too_late", "/occurred_at"),
        ({"occurred_at": NOW + 3_600_000}, None, None),
        ({"occurred_at": NOW + 3_600_001}, "from_future", "/occurred_at"),
        ({"occurred_at": -(2**63)}, "too_late", "/occurred_at"),
        ({"occurred_at": 2**63 - 1}, "from_future", "/occurred_at"),
        ({"tenant": "Acme"}, "invalid", "/tenant"),
        ({"account_id": ""}, "invalid", "/account_id"),
        ({"event_id": ""}, "invalid", "/event_id"),
        ({"duration_ms": -1}, "invalid", "/duration_ms"),
        ({"duration_ms": 2**62}, "invalid", "/duration_ms"),
        ({"feature": "x" * 1_025}, "invalid", "/feature"),
    ],
)
def test_edges(changes: dict[str, Any], reason: str | None, pointer: str | None) -> None:
    refusal = admit(event(**changes), NOW, LIMITS)
    assert (refusal and refusal.reason, refusal and refusal.pointer) == (reason, pointer)


@pytest.mark.parametrize(
    ("account_id", "fits"),
    [
        ("~user:7", True),
        ("~domain:acme.example", True),
        ("~domain:xn--bcher-kva.example", True),
        ("acme~", True),
        ("~", False),
        ("~user:", False),
        ("~domain:", False),
        ("~domain:acme", False),
        ("~domain:Acme.example", False),
        ("~domain:gmail.com", False),
        ("~other:7", False),
    ],
)
def test_an_alias_has_a_known_form_for_one_and_for_many(account_id: str, fits: bool) -> None:
    fields = event(account_id=account_id)
    refusal = admit(fields, NOW, LIMITS)
    assert (refusal and (refusal.reason, refusal.pointer)) == (None if fits else ("invalid", "/account_id"))
    value = codec("usage.events").encode(msgspec.convert(fields, UsageEvent))
    [batch] = stored([[(b"k", value, [])]])
    columns = UsageDecoder(committed(), 0).read([BatchRecords(batch.payload(), 1, 0, 0, 1)])
    events, sure = admissible(columns, Names(), NOW, LIMITS, 0, 1)
    assert (len(events), sure.tolist()) == (fits, [fits])


def test_an_alias_of_a_domain_is_its_plain_name() -> None:
    names = [
        "Acme.Example.",
        " acme.example ",
        "Bücher.example",
        "GMail.com",
        "localhost",
        "a b.c",
        "",
        "1.2.3.4",
    ]
    assert [alias_of_domain(name) for name in names] == [
        "~domain:acme.example",
        "~domain:acme.example",
        "~domain:xn--bcher-kva.example",
        *5 * [None],
    ]


@pytest.mark.parametrize("into", ["", "~user:u", "a", "x" * 257])
def test_a_link_leads_into_another_account(into: str) -> None:
    refusal = admit(msgspec.structs.asdict(link("a", into, NOW)), NOW, LIMITS)
    assert refusal
    assert (refusal.reason, refusal.pointer) == ("invalid", "/into")


def test_a_transfer_is_never_late_but_must_hold_a_state() -> None:
    good = {
        "event_id": "o:1",
        "tenant": "acme",
        "account_id": "a",
        "source": "bellbuoy",
        "occurred_at": 0,
        "received_at": 0,
        "origin": "o",
        "state": encode_state(State(tenant="acme", account_id="o")),
    }
    assert admit(good, NOW, LIMITS) is None
    for state in (b"", b"\x91\xa1\xff", encode_state(State(tenant="acme", account_id="other"))):
        refusal = admit(good | {"state": state}, NOW, LIMITS)
        assert refusal
        assert (refusal.reason, refusal.pointer) == ("invalid", "/state")


def claim(window: DedupeWindow, *identities: int) -> list[bool]:
    return window.claim(np.array(identities, np.uint64)).tolist()


def test_the_window_forgets_the_oldest_events() -> None:
    window = DedupeWindow(3)
    assert claim(window, 1, 2, 1) == [True, True, False]
    assert claim(window, 1, 3) == [False, True]
    assert claim(window, 4) == [True]
    assert claim(window, 3, 1, 2) == [False, True, True]
    assert len(window) == 3


def test_the_window_is_bounded_however_much_one_record_brings() -> None:
    window = DedupeWindow(100)
    for start in range(1, 100_000, 10_000):
        assert all(claim(window, *range(start, start + 10_000)))
        assert len(window) == 100
    assert not any(claim(window, *range(99_901, 100_001)))
    window.clear()
    assert claim(window, 100_000) == [True]


@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=9)), st.integers(1, 7))
def test_the_window_is_the_last_events_however_they_are_cut(claims: list[list[int]], size: int) -> None:
    window = DedupeWindow(size)
    known: list[int] = []
    for identities in claims:
        found = claim(window, *identities)
        for number, each in enumerate(max(1, one) for one in identities):
            assert found[number] == (each not in known)
            known = (known if each in known else [*known, each])[-size:]
        assert len(window) == len(known)


def test_a_window_that_grows_and_goes_round_forgets_nothing_else() -> None:
    chance = np.random.default_rng(1)
    window = DedupeWindow(5_000)
    ids = chance.integers(0, 2**64, 50_000, np.uint64)
    for start in range(0, 50_000, 700):
        assert window.claim(ids[start : start + 700]).all()
        kept = ids[max(0, start + 700 - 5_000) : start + 700]
        assert not window.claim(kept).any()
    assert len(window) == 5_000


def test_of_two_records_with_one_id_in_a_batch_the_first_is_new() -> None:
    window = DedupeWindow(10)
    assert claim(window, 7, 8, 7) == [True, True, False]


def test_the_due_heap_gives_each_account_once_and_forgets_old_times() -> None:
    heap = DueHeap()
    heap.put(b"a", 10)
    heap.put(b"b", 20)
    heap.put(b"a", 30)
    assert heap.peek(25) == [b"b"]
    assert heap.peek(25) == [b"b"]
    heap.put(b"b", None)
    assert heap.peek(30) == [b"a"]
    for moment in range(5_000):
        heap.put(b"a", 100 + moment)
    assert len(heap) == 1
    assert heap.peek(10_000) == [b"a"]
