"""What the owners of a tenant are told of alerts."""

from __future__ import annotations

from msgspec.structs import replace

from processors.owners.rows import OWNERS_KEY
from schemas.identity.keys import account_key
from schemas.identity.owners import OWNERS
from schemas.records import BillingEvent
from schemas.times import HOUR
from tests.support.fold_partitions import Partitions
from tests.support.generators import NOW
from tests.support.owner_alerts import NOON, Owners, risk_alert, said


def test_each_change_of_an_alert_reaches_its_owner_once() -> None:
    owners, alert = Owners(), risk_alert()
    opened = owners.at(NOON, alert)
    updated = owners.after(HOUR, replace(alert, change="updated", severity="critical"))
    resolved = owners.after(HOUR, replace(alert, change="resolved", resolution="recovered"))

    told = [*opened, *updated, *resolved]
    assert said(told) == [("Ines", "alert", "a")] * 3
    assert [(n.severity, n.alerts[0].change) for n in told] == [
        ("warning", "opened"),
        ("critical", "updated"),
        ("warning", "resolved"),
    ]
    assert len({n.notification_id for n in told}) == 3
    assert (opened[0].title, opened[0].created_at, opened[0].tenant) == ("Health is at risk", NOON, "acme")
    assert owners.partition.folded.owner_rows == {}  # nothing is kept of what is over


def test_the_assignee_is_told_and_an_account_without_owner_has_a_recipient() -> None:
    owners = Owners()
    told = owners.at(NOON, risk_alert("a", assignee="Jon"), risk_alert("b", owner=None))
    assert said(told) == [("Jon", "alert", "a"), ("customer-success", "alert", "b")]


def test_whoever_was_told_of_it_hears_that_it_is_over_also_where_the_account_is_gone() -> None:
    owners, alert = Owners(), risk_alert()
    owners.at(NOON, alert)
    gone = replace(alert, change="resolved", owner=None, name=None, resolution="deleted")
    assert said(owners.after(HOUR, gone)) == [("Ines", "alert", "a")]
    assert owners.after(HOUR, gone) == []


def test_a_snoozed_alert_wakes_at_its_time_also_after_a_restart() -> None:
    owners, alert = Owners(restarts=True), risk_alert()
    owners.at(NOON, alert)
    owners.after(1, replace(alert, change="updated", snoozed_until=NOON + HOUR))
    assert owners.at(NOON + HOUR - 1) == []
    [told] = owners.at(NOON + HOUR)
    assert (told.recipient, told.notes) == ("Ines", ["It was snoozed until now."])
    assert owners.after(HOUR) == []


def test_alerts_go_from_their_accounts_to_the_partition_of_the_owners() -> None:
    found = Partitions(3)
    about = {"tenant": "acme", "source": "test", "occurred_at": NOW - 1, "received_at": NOW}
    accounts = [f"a{number}" for number in range(6)]
    for account in accounts:
        found.send(
            BillingEvent(**about, event_id=account, account_id=account, kind="payment_failed", invoice_id="i")
        )
    found.run(twice=True)  # each is sent twice, as a retry would

    assert sorted(n.alerts[0].account_id for n in found.notifications) == accounts
    home = found.of(OWNERS)
    assert {n.partition for n in found.notifications} == {home.number}
    assert all(not one.folded.owner_rows for one in found.all if one is not home)
    assert all(key.startswith(OWNERS_KEY) for key in home.folded.owner_rows)
    assert account_key("acme", OWNERS) not in home.folded.states
    found.balanced()
