"""When many accounts drop together it is our incident: one page, and no owner is told before it is over."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from processors.owners.notifications import owner_alert
from processors.owners.rows import gate_key
from schemas.identity.owners import OWNERS
from schemas.records import AlertAction, AlertNotification, JournalBatch, RiskAlert, UsageEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.generators import batch
from tests.support.owner_alerts import NOON, Owners, risk_alert, said

POLICY = """
policy: company
version: 1
everybody: {budget: 4}
digest: {only: []}
"""
CSMS = [f"csm {number}" for number in range(10)]


def company(accounts: int, *, partition_of_all: bool = True, policy: str = POLICY) -> Owners:
    """Return the owners of a tenant with so many accounts, all of them in the partition of its owners."""
    owners = Owners(NOON - DAY, policy, restarts=True)
    used: list[Any] = [
        UsageEvent(
            event_id=f"u{number}", tenant="acme", account_id=f"a{number}", source="test",
            occurred_at=NOON - DAY, received_at=NOON - DAY, name="did", user_id="u",
        )
        for number in range(accounts)
    ]  # fmt: skip
    first = batch(0, NOON - DAY, used)
    owners.journal.append(first)
    owners.partition.add(first)
    return owners


def dropping(number: int, at: int, **fields: Any) -> RiskAlert:
    arr = (number % 7 + 1) * 1_000_000
    return risk_alert(
        f"a{number}", owner=CSMS[number % 10], opened_at=at, arr_minor=arr, severity="critical", **fields
    )


def drop(owners: Owners, accounts: int, milliseconds: int) -> list[AlertNotification]:
    """Let so many accounts drop, evenly over this time from noon on; the clock ticks every second."""
    told, number = [], 0
    for second in range(milliseconds // 1_000 + 1):
        at = NOON + second * 1_000
        alerts = []
        while number < accounts and number * milliseconds // accounts <= second * 1_000:
            alerts.append(dropping(number, at))
            number += 1
        told += owners.at(at, *alerts)
    return told


def act(owners: Owners, alert_id: str, kind: str, at: int, **fields: Any) -> list[AlertNotification]:
    action = AlertAction(
        event_id=f"{kind}{at}", tenant="acme", account_id=OWNERS, source="test", occurred_at=at,
        received_at=at, alert_id=alert_id, kind=kind, author="Sam", **fields,
    )  # fmt: skip
    return owners.at(at, actions=[action])


def recovered(number: int) -> RiskAlert:
    return replace(dropping(number, NOON), change="resolved", resolution="recovered")


def test_300_accounts_that_drop_in_five_minutes_are_one_page_and_no_alert() -> None:
    owners = company(300)
    told = drop(owners, 300, 5 * MINUTE)

    [page] = told
    assert (page.recipient, page.kind, page.severity, page.lane) == ("sre", "page", "critical", "outage")
    assert page.title == "30 accounts have the alert health within 10 minutes"
    assert (page.alerts[0].account_id, page.alerts[0].change) == (OWNERS, "opened")
    assert page.created_at == NOON + 29_000

    # Most recover by themselves; of these no owner ever hears. Then it is quiet, and the others are released.
    for number in range(250):
        assert owners.after(100, recovered(number)) == []
    assert owners.at(NOON + 20 * MINUTE - 1_001) == []
    resolved, *released = owners.at(NOON + 20 * MINUTE)
    assert (resolved.recipient, resolved.kind, resolved.alerts[0].change) == ("sre", "page", "resolved")
    assert resolved.alerts[0].alert_id == page.alerts[0].alert_id
    assert resolved.notes == ["50 alerts that it held are still open, and go to their owners."]
    # Five for each CSM: four are within the budget, though they are critical, and one waits for the digest.
    assert {n.kind for n in released} == {"alert"}
    assert {(n.recipient, sum(o.recipient == n.recipient for o in released)) for n in released} == {
        (csm, 4) for csm in CSMS
    }
    assert all(n.alerts[0].owner == n.recipient for n in released)
    digests = owners.at(NOON + 20 * HOUR)
    assert {(n.kind, len(n.alerts)) for n in digests if n.kind == "digest"} == {("digest", 1)}
    assert sorted(n.recipient for n in digests if n.kind == "digest") == CSMS
    told = [a.account_id for n in [*released, *digests] if n.kind != "escalation" for a in n.alerts]
    assert sorted(told) == sorted(f"a{number}" for number in range(250, 300))


@pytest.mark.parametrize(("kind", "resolution"), [("resolved", "done"), ("dismissed", "dismissed")])
def test_somebody_explains_it_and_the_alerts_are_released(kind: str, resolution: str) -> None:
    owners = company(40)
    [page] = drop(owners, 40, MINUTE)
    alert_id = page.alerts[0].alert_id

    [noted] = act(owners, alert_id, "acknowledged", NOON + 3 * MINUTE, note="on it")
    assert (noted.kind, noted.alerts[0].acknowledged_by, noted.alerts[0].note) == ("page", "Sam", "on it")
    assert act(owners, "another", kind, NOON + 4 * MINUTE) == []
    ended, *released = act(owners, alert_id, kind, NOON + 5 * MINUTE, note="a deploy")
    assert (ended.kind, ended.alerts[0].resolution, ended.alerts[0].note) == ("page", resolution, "a deploy")
    assert len(released) == 40
    cause = " The cause: a deploy" if kind == "resolved" else ""
    assert {tuple(n.notes) for n in released} == {
        (f"It was held while many accounts had the same alert.{cause}",)
    }
    assert act(owners, alert_id, kind, NOON + 6 * MINUTE) == []
    assert not [account for account in owners.partition.states if b"~" in account]


def test_a_few_accounts_of_many_are_no_storm_and_their_owners_are_told() -> None:
    owners = company(1_000)
    told = drop(owners, 30, 5 * MINUTE)  # 3 %
    for minute in range(6, 20):
        told += owners.at(NOON + minute * MINUTE)
    assert {n.kind for n in told} == {"alert"}
    assert sorted(n.alerts[0].account_id for n in told) == sorted(f"a{number}" for number in range(30))


def test_accounts_that_drop_over_a_day_are_no_storm() -> None:
    owners, told = company(100), []
    for number in range(50):
        told += owners.at(NOON + number * 10 * MINUTE, dropping(number, NOON + number * 10 * MINUTE))
        told += owners.after(5_000)
    assert "page" not in {n.kind for n in told}
    assert len([n for n in told if n.kind == "alert"]) == 50


def test_alerts_of_another_rule_and_updates_go_on_in_a_storm() -> None:
    owners = company(40)
    before = risk_alert("z", owner="Ada")
    owners.at(NOON - HOUR, replace(before, opened_at=NOON - HOUR))
    owners.at(NOON - HOUR + 5_000)
    drop(owners, 40, MINUTE)
    now = owners.now
    assert said(owners.at(now, replace(before, change="updated", title="New"))) == [("Ada", "alert", "z")]
    owners.after(1, risk_alert("y", owner="Ada", rule="billing", opened_at=now))
    assert said(owners.after(5_000)) == [("Ada", "alert", "y")]


def test_an_alert_that_is_alone_is_told_after_some_seconds() -> None:
    owners = company(40)
    assert owners.at(NOON, dropping(1, NOON)) == []
    assert owners.at(NOON + 4_999) == []
    assert len(owners.at(NOON + 5_000)) == 1


def test_many_alerts_on_one_account_are_no_storm() -> None:
    owners = company(40)
    alerts = [dropping(1, NOON, alert_id=f"x{n}", subject=f"person {n}") for n in range(30)]
    owners.at(NOON, *alerts)
    assert [n.kind for n in owners.at(NOON + 5_000)] == ["alert"] * 30


def test_the_gate_of_very_many_accounts_stays_small() -> None:
    """A storm of 100,000 accounts: the count is about right, and the row is small."""
    owners = Owners(NOON, POLICY.replace("digest", "storms: {accounts: 50000, share: 0}\ndigest"))
    told: list[AlertNotification] = []
    for start in range(0, 100_000, 5_000):
        alerts = [dropping(number, NOON) for number in range(start, start + 5_000)]
        number = len(owners.journal)
        one = JournalBatch(
            sequence=number, written_at=NOON + number, owner_alerts=list(map(owner_alert, alerts))
        )
        owners.journal.append(one)
        owners.partition.add(one)
        told += owners.partition.notifications[len(told) :]
    [page] = told
    assert 8 <= page.sequence <= 12
    assert len(owners.partition.folded.owner_rows[gate_key("acme")]) < 100_000
