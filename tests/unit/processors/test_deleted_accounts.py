"""What is published and kept of an account that is deleted, and of what is heard of it later."""

from __future__ import annotations

from typing import Any

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.observe.deletion import forgotten_at
from processors.state.account import Link, State
from processors.state.encoding import encode_state
from schemas.identity.keys import account_key
from schemas.records import AccountLink, AccountProfile, AccountTransfer, BillingEvent, UsageEvent
from schemas.times import DAY
from tests.support.fold_partitions import Partitions, link
from tests.support.generators import NOW, batch

ABOUT: dict[str, Any] = {"tenant": "acme", "source": "test", "received_at": NOW}


def failed(account_id: str, at: int = NOW - 2, name: str = "f") -> BillingEvent:
    return BillingEvent(
        **ABOUT, event_id=name, occurred_at=at, account_id=account_id, kind="payment_failed", invoice_id="in"
    )


def named(account_id: str, name: str, at: int) -> AccountProfile:
    return AccountProfile(
        **ABOUT, event_id=name, occurred_at=at, account_id=account_id, name=name, owner="kim"
    )


def used(account_id: str, at: int) -> UsageEvent:
    return UsageEvent(
        **ABOUT, event_id=f"u{at}", occurred_at=at, account_id=account_id, user_id="ann", name="opened"
    )


def deletion(account_id: str, at: int = NOW - 1) -> AccountLink:
    return AccountLink(
        **ABOUT,
        event_id=f"d{account_id}{at}",
        occurred_at=at,
        account_id=account_id,
        deleted=True,
        author="kim",
        reason="x",
    )


def bare(at: int, applied: int, sequence: int) -> State:
    """The state that is kept of a deleted account."""
    state = State(
        tenant="acme",
        account_id="a",
        applied=applied,
        sequence=sequence,
        link=Link(count=applied),
        deleted_at=at,
    )
    state.due = forgotten_at(state)
    return state


def test_what_is_known_is_erased_and_what_is_published_ends() -> None:
    found = Partitions(1)
    found.send(failed("a"), named("a", "Amber Foods", NOW - 3), used("a", NOW - 4))
    found.run()
    found.send(deletion("a"))
    found.run()

    opened, ended = found.outcomes[0].alerts[0][1], found.outcomes[1].alerts[0][1]
    assert (opened.change, opened.name) == ("opened", "Amber Foods")
    assert (ended.change, ended.title, ended.name, ended.owner, ended.note) == (
        "resolved", "Account deleted", None, None, None,
    )  # fmt: skip
    assert ended.alert_id == opened.alert_id
    [(_, health)], [(_, kpis)] = found.outcomes[1].health, found.outcomes[1].kpis
    assert (health.deleted, health.name, health.owner, health.open_alerts) == (True, None, None, [])
    assert (kpis.deleted, kpis.measures) == (True, [])
    state = found.state("a")
    assert state is not None
    assert {rule: one.number for rule, one in state.episodes.items()} == {"payment": 1}
    state.episodes = {}
    assert state == bare(NOW - 1, applied=4, sequence=2)


def test_what_occurred_before_is_ignored_when_it_comes_late() -> None:
    found = Partitions(1)
    found.send(deletion("a"))
    found.run()
    found.send(failed("a"), named("a", "Amber", NOW - 1), used("a", NOW), link("a", "b", NOW - 1))
    found.run()

    assert found.state("a") == bare(NOW - 1, applied=5, sequence=1)
    assert not found.outcomes[1].health
    assert not found.transfers


def test_what_occurred_later_begins_a_new_account() -> None:
    found = Partitions(1)
    found.send(failed("a"))
    found.run()
    found.send(failed("a", NOW, "again"), deletion("a"))  # in one batch: the deletion comes first
    found.run()
    found.send(used("a", NOW + DAY))
    found.run(now=NOW + DAY)

    state = found.state("a")
    assert state is not None
    assert (state.billing.invoices["in"].failed_payments, list(state.usage.days)) == (1, [NOW // DAY + 1])
    [(_, health)] = found.outcomes[2].health
    assert not health.deleted
    first, again = found.outcomes[0].alerts[0][1], found.outcomes[2].alerts[0][1]
    assert (again.change, again.episode) == ("opened", first.episode + 1)


def test_an_older_deletion_changes_nothing() -> None:
    found = Partitions(1)
    found.send(deletion("a"))
    found.run()
    found.send(failed("a", NOW))
    found.run()
    found.send(deletion("a", NOW - 9))
    found.run()

    state = found.state("a")
    assert state is not None
    assert (state.deleted_at, list(state.billing.invoices)) == (NOW - 1, ["in"])


def test_nothing_is_left_once_no_event_of_before_is_admitted() -> None:
    folded, key = FoldedPartition(0, Shared()), account_key("acme", "a")
    events, end = [failed("a"), deletion("a")], (NOW // DAY + 91) * DAY
    [_] = folded.apply([(0, batch(0, NOW, events))])
    [before] = folded.apply([(1, batch(1, end - 1, []))])
    assert not before.states
    [outcome] = folded.apply([(2, batch(2, end, []))])
    assert outcome.states == {key: None}
    assert not folded.states
    assert not folded.due(end + 1_000 * DAY)
    [new] = folded.apply([(3, batch(3, end + 1, [failed("a", end)]))])
    assert new.states[key] is not None


def test_an_alias_is_deleted_with_its_link() -> None:
    found = Partitions(1)
    found.send(used("~user:ann", NOW - DAY), link("~user:ann", "a", NOW - DAY))
    found.run()
    found.send(deletion("~user:ann"), deletion("a"))
    found.run()
    found.send(used("~user:ann", NOW - 2 * DAY), used("~user:ann", NOW + DAY))
    found.run(now=NOW + DAY)

    alias, account = found.state("~user:ann"), found.state("a")
    assert alias is not None
    assert account is not None
    assert (alias.link.into, list(alias.usage.days)) == ("", [NOW // DAY + 1])
    assert not account.known
    assert [health.account_id for outcome in found.outcomes for _, health in outcome.health] == ["a", "a"]


def test_evidence_on_its_way_counts_from_after_the_deletion_only() -> None:
    there = Partitions(1)
    there.send(used("~user:ann", NOW - DAY), used("~user:ann", NOW + DAY), named("~user:ann", "old", NOW - 5))
    there.run()
    state = there.state("~user:ann")
    assert state is not None
    transfer = AccountTransfer(
        **ABOUT,
        event_id="t",
        occurred_at=NOW + DAY,
        account_id="a",
        origin="~user:ann",
        state=encode_state(state),
    )
    found = Partitions(1)
    found.send(deletion("a"))
    found.run()
    found.send(transfer)
    found.run(now=NOW + DAY)

    after = found.state("a")
    assert after is not None
    assert (list(after.usage.days), after.profile) == ([NOW // DAY + 1], {})
    assert len(after.usage.users) == 1
