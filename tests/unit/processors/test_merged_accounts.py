"""What is published of aliases and of accounts that are merged."""

from __future__ import annotations

from schemas.records import AlertAction, BillingEvent
from tests.support.fold_partitions import Partitions, link
from tests.support.generators import NOW

ABOUT = {"tenant": "acme", "source": "test", "occurred_at": NOW - 1, "received_at": NOW}


def failed(account_id: str, number: int = 0) -> BillingEvent:
    return BillingEvent(
        **ABOUT, event_id=f"f{number}", account_id=account_id, kind="payment_failed", invoice_id="in"
    )


def said(found: Partitions) -> list[tuple[str, str, str]]:
    return [(a.account_id, a.change, a.title) for outcome in found.outcomes for _, a in outcome.alerts]


def published(found: Partitions) -> list[tuple[str, str]]:
    return [(h.account_id, h.band) for outcome in found.outcomes for _, h in outcome.health]


def test_an_alias_is_never_judged() -> None:
    found = Partitions()
    found.send(failed("~user:u"), link("~domain:acme.example", "a"))
    found.run()

    assert (published(found), said(found), found.transfers) == ([], [], [])
    state = found.state("~user:u")
    assert state is not None
    assert (state.applied, state.due, state.score, list(state.billing.invoices)) == (1, None, None, ["in"])


def test_a_merged_account_ends_in_words_and_is_heard_of_no_more() -> None:
    found = Partitions()
    found.send(failed("old"))
    found.run()
    before = found.state("old")
    assert before is not None
    assert before.due is not None
    found.send(link("old", "new"))
    found.run()

    assert said(found) == [
        ("old", "opened", "A payment failed"),
        ("old", "resolved", "Merged into new"),
        ("new", "opened", "A payment failed"),
    ]
    assert published(found) == [("old", "unknown"), ("old", "unknown"), ("new", "unknown")]
    assert found.outcomes[1].health[0][1].reasons == ["Merged into new"]
    after = found.state("old")
    assert after is not None
    assert (after.due, after.score, after.billing.invoices) == (None, None, {})

    found.send(failed("old", 1), link("old", "new", NOW, "again"))
    found.send(
        AlertAction(**ABOUT, event_id="x", account_id="old", alert_id="gone", kind="noted", author="kim")
    )
    found.run()
    assert published(found)[3:] == [("new", "unknown")]
    new = found.state("new")
    assert new is not None
    assert (new.billing.invoices["in"].failures, new.applied) == (2, 3)
    found.balanced()


def test_an_account_that_is_linked_elsewhere_later_sends_on_what_comes_then() -> None:
    found = Partitions()
    for number, into in enumerate(("a", "b")):
        found.send(link("~user:u", into, NOW + number))
        found.run()
        found.send(failed("~user:u", number))
        found.run()
    found.send(link("~user:u", "c", NOW - 1), failed("~user:u", 2))  # an older word than the newest
    found.run()

    states = [found.state(account) for account in "abc"]
    assert [state and state.applied for state in states] == [1, 2, None]
    found.balanced()


def test_an_account_whose_link_is_undone_numbers_its_alerts_on() -> None:
    found = Partitions()
    found.send(failed("old"))
    found.run()
    found.send(link("old", "new", NOW - 2))
    found.run()
    found.send(link("new", "old", NOW - 1))  # the newer word: old was the right one after all
    found.run()

    assert said(found)[3:] == [("new", "resolved", "Merged into old"), ("old", "opened", "A payment failed")]
    assert [alert.episode for outcome in found.outcomes for _, alert in outcome.alerts] == [1, 1, 1, 1, 2]
    old = found.state("old")
    assert old is not None
    assert (old.link.into, old.due is not None) == ("", True)
    found.balanced()
