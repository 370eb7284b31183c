"""What the owners of a tenant are told of alerts, when, and in which message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from processors.owners.digest_queues import MAX_QUEUED
from processors.owners.rows import OWNERS_KEY
from schemas.identity.keys import account_key
from schemas.identity.owners import OWNERS
from schemas.records import AccountProfile, BillingEvent, RiskAlert
from schemas.times import DAY, HOUR, MINUTE
from tests.support.fold_partitions import Partitions
from tests.support.generators import NOW
from tests.support.owner_alerts import AT_ONCE, NOON, Owners, risk_alert, said

PEOPLE = (
    AT_ONCE
    + """
people:
  Ines:
    zone: Europe/Berlin
    hours: 09:00-17:30
    days: [mon, tue, wed, thu, fri]
    budget: 2
    digest_at: 09:15
    manager: Kim
    away: [{from: 2026-10-05, until: 2026-10-12, substitute: Jon}]
  Jon:
    away: [{from: 2026-10-07, until: 2026-10-08}]
segments: {enterprise: Ada}
escalation:
  critical: [{after: 4h, to: manager}, {after: 8h, to: Vera}]
maintenance: [{from: "2026-09-22T22:00", until: "2026-09-23T06:00"}]
"""
)


def berlin(text: str) -> int:
    """Return UTC milliseconds of a local time in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)


def change(alert: RiskAlert, **fields: object) -> RiskAlert:
    return replace(alert, **{"change": "updated"} | fields)  # type: ignore[arg-type]


def test_each_change_of_an_alert_reaches_its_owner_once() -> None:
    owners, alert = Owners(), risk_alert()
    opened = owners.at(NOON, alert)
    updated = owners.after(HOUR, change(alert, severity="critical"))
    resolved = owners.after(HOUR, change(alert, change="resolved", resolution="recovered"))

    told = [*opened, *updated, *resolved]
    assert said(told) == [("Ines", "alert", "a")] * 3
    assert [(n.severity, n.alerts[0].change) for n in told] == [
        ("warning", "opened"),
        ("critical", "updated"),
        ("warning", "resolved"),
    ]
    assert len({n.notification_id for n in told}) == 3
    assert (opened[0].title, opened[0].created_at, opened[0].tenant) == ("Health is at risk", NOON, "acme")
    assert not [key for key in owners.partition.folded.owner_rows if b"alert" in key]  # it is forgotten


def test_the_right_person() -> None:
    owners = Owners(policy=PEOPLE)
    told = owners.at(
        NOON,
        risk_alert("a", assignee="Jon"),
        risk_alert("b", owner=None),
        risk_alert("c", owner=None, segment="enterprise"),
        risk_alert("d", owner="Somebody new"),
    )
    assert said(told) == [
        ("Jon", "alert", "a"),
        ("customer-success", "alert", "b"),
        ("Ada", "alert", "c"),
        ("Somebody new", "alert", "d"),
    ]


def test_whoever_was_told_of_it_hears_that_it_is_over_also_where_the_account_is_gone() -> None:
    owners, alert = Owners(), risk_alert()
    owners.at(NOON, alert)
    gone = change(alert, change="resolved", owner=None, name=None, resolution="deleted")
    assert said(owners.after(HOUR, gone)) == [("Ines", "alert", "a")]
    assert owners.after(HOUR, gone) == []


def test_a_snoozed_alert_wakes_at_its_time_or_when_it_gets_worse() -> None:
    owners, alert = Owners(restarts=True), risk_alert()
    owners.at(NOON, alert)
    snoozed = change(alert, snoozed_until=NOON + 3 * HOUR)
    assert said(owners.after(1, snoozed)) == [("Ines", "alert", "a")]  # its message says so
    assert owners.at(NOON + 3 * HOUR - 1) == []
    [told] = owners.at(NOON + 3 * HOUR)
    assert (told.recipient, told.notes) == ("Ines", ["It was snoozed until now."])
    assert owners.after(HOUR) == []

    owners.after(1, change(alert, snoozed_until=NOON + DAY))
    [worse] = owners.after(1, change(alert, severity="critical"))
    assert worse.severity == "critical"
    assert owners.at(NOON + DAY) == []


def test_what_gets_worse_or_wakes_must_be_noticed_and_what_is_brought_up_to_date_need_not() -> None:
    owners, alert = Owners(restarts=True), risk_alert()
    [opened] = owners.at(NOON, alert)
    [taken] = owners.after(1, change(alert, acknowledged_by="Ines"))
    [worse] = owners.after(1, change(alert, severity="critical"))
    [moved] = owners.after(1, change(alert, severity="critical", score=20.0))
    [asleep] = owners.after(1, change(alert, severity="critical", snoozed_until=NOON + DAY))
    [awake] = owners.at(NOON + DAY)
    [over] = owners.after(1, change(alert, change="resolved", resolution="recovered"))

    told = [opened, taken, worse, moved, asleep, awake, over]
    assert [each.attention for each in told] == [True, False, True, False, False, True, False]


def test_what_got_worse_in_a_maintenance_must_be_noticed_afterwards() -> None:
    window = "maintenance: [{from: 2026-09-21T13:00, until: 2026-09-21T14:00, reason: an upgrade}]"
    owners, alert = Owners(policy=f"{AT_ONCE}{window}", restarts=True), risk_alert()
    owners.at(NOON, alert)
    assert owners.at(NOON + 70 * MINUTE, change(alert, severity="critical")) == []
    assert owners.at(NOON + 80 * MINUTE, change(alert, severity="critical", score=20.0)) == []
    [told] = owners.at(NOON + 2 * HOUR)
    assert (told.severity, told.attention) == ("critical", True)


@pytest.mark.parametrize(
    ("opened", "told"),
    [
        ("2026-09-21T08:59", "2026-09-21T09:00"),  # a Monday
        ("2026-09-21T17:30", "2026-09-22T09:00"),
        ("2026-09-25T17:30", "2026-09-28T09:00"),  # over a weekend
        ("2026-10-23T18:00", "2026-10-26T09:00"),  # over the end of summer time: an hour more
        ("2027-03-26T18:00", "2027-03-29T09:00"),  # and over its beginning: an hour less
    ],
)
def test_a_warning_waits_for_working_hours(opened: str, told: str) -> None:
    owners, alert = Owners(policy=PEOPLE, restarts=True), risk_alert(opened_at=berlin(opened))
    assert owners.at(berlin(opened), alert) == []
    assert owners.at(berlin(told) - 1) == []
    [notification] = owners.at(berlin(told))
    assert (notification.recipient, notification.notes) == ("Ines", ["It waited for your working hours."])
    waited = timedelta(milliseconds=berlin(told) - berlin(opened))
    utc = datetime.fromtimestamp(berlin(told) / 1000, UTC) - waited
    assert utc == datetime.fromtimestamp(berlin(opened) / 1000, UTC)


def test_a_critical_alert_waits_for_nothing_and_a_waiting_one_that_becomes_critical_neither() -> None:
    night = berlin("2026-09-21T08:00")
    owners = Owners(policy=PEOPLE)
    waiting = risk_alert("b", opened_at=night)
    told = owners.at(night, risk_alert("a", severity="critical", opened_at=night), waiting)
    assert said(told) == [("Ines", "alert", "a")]
    assert said(owners.after(MINUTE, change(waiting, severity="critical"))) == [("Ines", "alert", "b")]
    assert owners.at(berlin("2026-09-21T09:00")) == []


def test_an_alert_that_is_over_before_the_hours_begin_is_never_told() -> None:
    night = berlin("2026-09-21T03:00")
    owners, alert = Owners(policy=PEOPLE), risk_alert(opened_at=night)
    owners.at(night, alert)
    assert owners.after(HOUR, change(alert, change="resolved", resolution="churned")) == []
    assert owners.at(berlin("2026-09-21T09:00")) == []


def test_what_exceeds_the_budget_waits_for_the_digest_ranked_by_what_is_at_stake() -> None:
    owners = Owners(policy=PEOPLE, restarts=True)
    arr = {"a": 10, "b": 20, "c": 30, "d": 500, "e": None, "f": 400}
    alerts = {name: risk_alert(name, arr_minor=amount and amount * 100_000) for name, amount in arr.items()}
    alerts["f"] = replace(alerts["f"], severity="critical")
    told = [notification for alert in alerts.values() for notification in owners.after(MINUTE, alert)]
    assert said(told) == [("Ines", "alert", "a"), ("Ines", "alert", "b"), ("Ines", "alert", "f")]

    owners.after(MINUTE, change(alerts["f"], acknowledged_by="Ines"))
    # An update of a message that was sent costs nothing; of one that waits nobody is told.
    assert len(owners.after(MINUTE, change(alerts["a"], title="New"))) == 1
    assert owners.after(MINUTE, change(alerts["c"], title="New")) == []
    assert owners.after(MINUTE, change(alerts["e"], change="resolved", resolution="recovered")) == []

    assert owners.at(berlin("2026-09-22T09:15") - 1) == []
    [digest] = owners.at(berlin("2026-09-22T09:15"))
    assert said([digest]) == [("Ines", "digest", "d c")]
    assert (digest.title, digest.more) == ("2 alerts, 530,000 EUR a year at stake", 0)
    assert digest.notes == ["2 beyond your budget of a day"]
    assert digest.alerts[1].title == "New"
    # A new day has a new budget, and what stood in a digest is not said again.
    assert said(owners.after(HOUR, risk_alert("g", opened_at=owners.now))) == [("Ines", "alert", "g")]
    assert owners.at(berlin("2026-09-23T09:15")) == []


def test_a_queue_is_bounded_and_what_is_left_out_is_counted_and_told_once_it_gets_worse() -> None:
    """Each alert is worth more than the one before, and comes in a batch of its own or in one of all."""
    late = [
        risk_alert(f"a{number}", opened_at=NOON - 40 * DAY, arr_minor=number * 100_00)
        for number in range(MAX_QUEUED + 1)
    ]
    owners = Owners(restarts=True)
    owners.at(NOON, *late[:-1])
    owners.after(MINUTE, late[-1])

    [digest] = owners.at(NOON + 20 * HOUR)
    assert digest.title.startswith(f"{MAX_QUEUED + 1:,} alerts")
    assert digest.more == MAX_QUEUED + 1 - len(digest.alerts)
    assert [each.account_id for each in digest.alerts] == [f"a{MAX_QUEUED - n}" for n in range(20)]
    [worse] = owners.after(DAY, change(late[0], severity="critical"))[:1]
    assert said([worse]) == [("Ines", "alert", "a0")]
    [digest] = owners.at(NOON + 3 * DAY)
    assert digest.more + len(digest.alerts) == MAX_QUEUED // 2 + 1 - 2 * 20


def test_what_finds_no_room_in_a_digest_waits_for_the_next_one() -> None:
    policy = AT_ONCE.replace("{only: []}", "{only: [warning], alerts: 3}")
    owners = Owners(policy=policy)
    assert owners.at(NOON, *(risk_alert(f"a{n}", arr_minor=n * 100) for n in range(8))) == []
    morning = NOON + 20 * HOUR  # 08:00 UTC
    digests = [owners.at(morning + days * DAY) for days in range(4)]
    assert [said(one) for one in digests] == [
        [("Ines", "digest", "a7 a6 a5")],
        [("Ines", "digest", "a4 a3 a2")],
        [("Ines", "digest", "a1 a0")],
        [],
    ]
    assert [one[0].more for one in digests[:3]] == [5, 2, 0]


def test_an_alert_that_arrives_late_is_no_news() -> None:
    owners = Owners()
    assert owners.at(NOON, risk_alert("old", opened_at=NOON - 7 * HOUR, severity="critical")) == []
    assert said(owners.at(NOON + 20 * HOUR)) == [("Ines", "digest", "old")]


def test_the_escalation_goes_on_at_the_exact_hour_until_somebody_acknowledges() -> None:
    owners = Owners(policy=PEOPLE, restarts=True)
    alert = risk_alert(severity="critical")
    owners.at(NOON, alert)
    assert owners.at(NOON + 4 * HOUR - 1) == []
    [first] = owners.at(NOON + 4 * HOUR)
    assert (first.recipient, first.kind) == ("Kim", "escalation")
    assert first.notes == ["Nobody acknowledged it for 4 hours; Ines had it."]
    assert owners.at(NOON + 8 * HOUR - 1) == []
    [second] = owners.at(NOON + 8 * HOUR)
    assert (second.recipient, second.notes) == (
        "Vera", ["Nobody acknowledged it for 8 hours; Ines and Kim had it."],
    )  # fmt: skip
    assert owners.at(NOON + 3 * DAY) == []
    over = owners.after(1, change(alert, change="resolved", resolution="recovered"))
    assert [n.recipient for n in over] == ["Ines", "Kim", "Vera"]


def test_who_acknowledges_in_time_stops_the_escalation_also_at_the_last_moment() -> None:
    owners, alert = Owners(policy=PEOPLE), risk_alert(severity="critical")
    owners.at(NOON, alert)
    [told] = owners.at(NOON + 4 * HOUR, change(alert, acknowledged_by="Ines"))
    assert (told.recipient, told.kind) == ("Ines", "alert")
    assert owners.after(3 * DAY) == []


def test_an_escalation_of_a_warning_waits_for_hours() -> None:
    policy = PEOPLE.replace("  Jon:", "  Kim: {hours: 09:00-12:30, zone: Europe/Berlin}\n  Jon:")
    policy = policy.replace("escalation:", "escalation:\n  warning: [{after: 4h, to: manager}]")
    owners = Owners(policy=policy)
    owners.at(NOON, risk_alert())
    assert owners.at(NOON + 4 * HOUR) == []  # 18:00 in Berlin
    assert said(owners.at(berlin("2026-09-22T09:00"))) == [("Kim", "escalation", "a")]


def test_an_alert_follows_its_account_to_a_new_owner() -> None:
    owners, alert = Owners(policy=PEOPLE), risk_alert()
    owners.at(NOON, alert)
    told = owners.after(HOUR, change(alert, owner="Ada"))
    assert said(told) == [("Ines", "alert", "a"), ("Ada", "alert", "a")]
    assert [n.notes for n in told] == [["It went to Ada."], ["It came from Ines."]]
    assert said(owners.after(HOUR, change(alert, owner="Ada", change="resolved"))) == [("Ada", "alert", "a")]


def test_an_alert_that_waits_for_a_digest_waits_for_the_new_owners() -> None:
    owners = Owners(policy=PEOPLE)
    for name in ("x", "y", "a"):
        owners.at(NOON, risk_alert(name))
    assert said(owners.after(MINUTE, change(risk_alert("a"), owner="Ada"))) == [("Ada", "alert", "a")]
    assert owners.at(berlin("2026-09-22T09:15")) == []


def test_a_substitute_stands_in_and_the_fallback_for_a_substitute_who_is_away() -> None:
    owners = Owners(policy=PEOPLE)
    noon = {day: berlin(f"2026-10-0{day}T12:00") for day in (5, 7)}
    [told] = owners.at(noon[5], risk_alert("a", opened_at=noon[5]))
    assert (told.recipient, told.notes) == ("Jon", ["It is for Ines, who is away until 2026-10-12."])
    [told] = owners.at(noon[7], risk_alert("b", opened_at=noon[7]))
    assert told.recipient == "customer-success"
    # Back again: what a substitute has stays there until the account changes hands.
    back = berlin("2026-10-12T12:00")
    assert [n.recipient for n in owners.at(back, change(risk_alert("a"), title="New"))] == ["Jon"]


def test_in_a_maintenance_nothing_is_sent_and_then_it_is_summarised() -> None:
    owners = Owners(policy=PEOPLE, restarts=True)
    told, over = risk_alert("told", severity="critical"), risk_alert("over", severity="critical")
    owners.at(NOON, told, over)
    during = NOON + 35 * HOUR  # 2026-09-22T23:00 UTC
    quiet = owners.at(
        during,
        risk_alert("new", severity="critical", opened_at=during),
        risk_alert("gone", severity="critical", opened_at=during),
        change(told, title="New title", acknowledged_by="Ines"),
        change(over, change="resolved", resolution="recovered"),
    )
    quiet += owners.after(MINUTE, change(risk_alert("gone"), change="resolved"))
    assert quiet + owners.at(NOON + 42 * HOUR - 1) == []
    assert said(owners.at(NOON + 42 * HOUR)) == [("Ines", "alert", "over"), ("Ines", "alert", "told")]
    [digest] = owners.at(berlin("2026-09-23T09:00"))  # when her hours begin
    assert (said([digest]), digest.notes) == (
        [("Ines", "digest", "new")], ["1 from the time of a maintenance"],
    )  # fmt: skip


def test_an_account_that_changes_hands_says_so_of_its_open_alerts() -> None:
    found = Partitions(2)
    about = {"tenant": "acme", "source": "test", "received_at": NOW, "account_id": "a"}
    for number, owner in enumerate(("Ines", "Ines", "Ada")):
        found.send(
            AccountProfile(**about, occurred_at=NOW - 9 + number, event_id=f"p{number}", owner=owner),
            BillingEvent(
                **about, occurred_at=NOW - 1, event_id=f"b{number}", kind="payment_failed", invoice_id="i"
            ),
        )
        found.run()
    alerts = [alert for outcome in found.outcomes for _, alert in outcome.alerts]
    assert [(alert.change, alert.severity, alert.owner) for alert in alerts] == [
        ("opened", "notice", "Ines"),
        ("updated", "warning", "Ada"),
    ]
    found.send(AccountProfile(**about, occurred_at=NOW, event_id="again", owner="Jon", name="A"))
    found.run()
    [(_, alert)] = found.outcomes[-1].alerts
    assert (alert.change, alert.owner, alert.title) == ("updated", "Jon", "Payment keeps failing")
    found.send(AccountProfile(**about, occurred_at=NOW + 1, event_id="same", owner="Jon", name="B"))
    found.run()
    assert not found.outcomes[-1].alerts


def test_alerts_go_from_their_accounts_to_the_partition_of_the_owners() -> None:
    found = Partitions(3)
    about = {"tenant": "acme", "source": "test", "occurred_at": NOW - 1, "received_at": NOW}
    accounts = [f"a{number}" for number in range(6)]
    for account in accounts:
        found.send(
            BillingEvent(**about, event_id=account, account_id=account, kind="payment_failed", invoice_id="i")
        )
    found.run(twice=True)  # each is sent twice, as a retry would
    home = found.of(OWNERS)
    told = [
        (one.number, notification)
        for later in (HOUR, 2 * DAY)
        for one in found.all
        for _, notification in one.step(0, NOW + later).notifications
    ]

    assert [number for number, _ in told] == [home.number]
    assert sorted(alert.account_id for alert in told[0][1].alerts) == accounts
    assert all(not one.folded.owner_rows for one in found.all if one is not home)
    assert all(key.startswith(OWNERS_KEY) for key in home.folded.owner_rows)
    assert account_key("acme", OWNERS) not in home.folded.states
    found.balanced()
