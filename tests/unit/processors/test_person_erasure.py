"""One person is erased from an account: what names the person goes, what sums tell stays."""

from __future__ import annotations

from typing import Any

from processors.observe.person_erasure import erase_person, knows_person
from processors.owners.person_erasure import erase_person_from_rows
from processors.owners.rows import DigestQueue, Rows, TrackedAlert, alert_key, inbox_key
from processors.state.account import Episode, OverrideValue, OwnFact, State, brief
from processors.state.encoding import decode_state, encode_state
from schemas.identity.keys import account_key
from schemas.identity.naming import ERASED
from schemas.records import (
    AccountLink,
    AccountProfile,
    BillingEvent,
    EngagementEvent,
    SurveyResponse,
    UsageEvent,
)
from tests.support.fold_partitions import Partitions
from tests.support.generators import NOW
from tests.support.output_records import alert as alert_of

ABOUT: dict[str, Any] = {"tenant": "acme", "source": "test", "received_at": NOW}
ANN = "ann@amber.example"


def known_of(account_id: str, person: str, number: int) -> list[Any]:
    basics = ABOUT | {"account_id": account_id, "occurred_at": NOW - 9}
    return [
        UsageEvent(**basics, event_id=f"u{account_id}{number}", user_id=person, name="opened"),
        SurveyResponse(
            **basics, event_id=f"s{account_id}{number}", survey_id="q", user_id=person, kind="nps", score=9
        ),
        EngagementEvent(**basics, event_id=f"e{account_id}{number}", user_id=person, kind="champion_named"),
    ]


def erasure(person: str, account_id: str = "a") -> AccountLink:
    return AccountLink(
        **ABOUT, event_id=f"x{person}", occurred_at=NOW, account_id=account_id, deleted=True,
        person=brief(person),
    )  # fmt: skip


def state_of(found: Partitions, account_id: str) -> State:
    return decode_state(found.all[0].folded.states[account_key("acme", account_id)])


def test_a_person_leaves_sets_answers_and_roles_and_others_stay() -> None:
    found = Partitions(1)
    owned = AccountProfile(
        **ABOUT, event_id="p", occurred_at=NOW - 8, account_id="a", name="Amber", owner=ANN
    )
    failed = BillingEvent(
        **ABOUT, event_id="b", occurred_at=NOW - 8, account_id="a", kind="payment_failed", invoice_id="in"
    )
    found.send(*known_of("a", ANN, 1), *known_of("a", "bob", 2), *known_of("z", ANN, 3), owned, failed)
    found.run()
    other = found.all[0].folded.states[account_key("acme", "z")]
    found.send(erasure(ANN))
    found.run()

    state = state_of(found, "a")
    assert ANN.encode() not in found.all[0].folded.states[account_key("acme", "a")]
    assert set(state.usage.users) == set(state.people) == {brief("bob")}
    assert list(state.surveys) == ["q\nbob"]
    assert sum(day.events for day in state.usage.days.values()) == 2
    assert (state.fact("owner"), state.fact("name")) == (None, "Amber")
    assert found.all[0].folded.states[account_key("acme", "z")] == other
    health, [alert] = found.outcomes[-1].health[0][1], [each for _, each in found.outcomes[-1].alerts]
    assert (health.owner, alert.owner, alert.change) == (None, None, "updated")
    assert state.applied == 9


def test_who_acted_for_us_is_named_no_more() -> None:
    at = (NOW, 0)
    state = State(
        profile={"owner": (at, "kim")},
        overrides={"score": OverrideValue(at, 5.0, "kim thinks so", ANN)},
        own={"pulse": OwnFact(at, 3.0, ANN), "other": OwnFact(at, 3.0, "kim")},
        episodes={
            "r": Episode(1, "high", acknowledged_by=ANN, assignee="kim", note="Ann called"),
            "s": Episode(1, "high", acknowledged_by="kim", note="stays"),
        },
    )
    assert knows_person(state, brief(ANN))
    erase_person(state, brief(ANN))
    assert not knows_person(state, brief(ANN))
    raw = encode_state(state)
    assert ANN.encode() not in raw
    assert b"Ann called" not in raw
    assert b"kim thinks so" not in raw
    assert state.overrides["score"].author == state.episodes["r"].acknowledged_by == ERASED
    assert (state.episodes["r"].assignee, state.episodes["s"].note) == ("kim", "stays")
    assert (state.own["pulse"].author, state.own["other"].author) == (ERASED, "kim")
    assert state.fact("owner") == "kim"


def test_owners_rows_name_the_person_no_more() -> None:
    alert = alert_of("one", 1, owner=ANN, acknowledged_by=ANN, note="mine")
    kept = TrackedAlert(
        None, alert, owner="kim", recipient="kim", told=["kim", ANN], notes=["It went to bob."]
    )
    gone = TrackedAlert(None, alert, ANN, ANN, notes=[f"It came from {ANN}."], phase="queued")
    rows = Rows({})
    rows.put(alert_key("acme", "one"), kept)
    rows.put(alert_key("acme", "two"), gone)
    rows.put(inbox_key("acme", ANN), DigestQueue(queue={"two": "held"}))
    rows.put(inbox_key("acme", "kim"), DigestQueue(sent=1))
    erase_person_from_rows(rows, "acme", brief(ANN))
    encoded = {key: raw for key, raw in rows.encoded().items() if raw is not None}
    assert ANN.encode() not in b"".join([*encoded, *encoded.values()])
    assert (kept.told, kept.notes, kept.owner) == (["kim", ERASED], ["It went to bob."], "kim")
    assert (gone.owner, gone.recipient, gone.notes, gone.alert.note) == (ERASED, ERASED, [], None)
    assert [(name, row.queue) for name, row in rows.inboxes("acme")] == [
        (ERASED, {"two": "held"}),
        ("kim", {}),
    ]


def test_an_erasure_after_the_deletion_of_the_account_wakes_nothing() -> None:
    found = Partitions(1)
    found.send(*known_of("a", ANN, 1))
    found.run()
    found.send(
        AccountLink(**ABOUT, event_id="d", occurred_at=NOW, account_id="a", deleted=True), erasure(ANN)
    )
    found.run()
    state = state_of(found, "a")
    assert (state.deleted_at, state.link.count, state.applied) == (NOW, 5, 5)
