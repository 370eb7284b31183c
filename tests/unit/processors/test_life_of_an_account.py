"""Accounts through time: what is scored, said and alerted, on a hand-moved clock."""

from __future__ import annotations

from typing import Any

import pytest

from processors.alerts.actions import act
from processors.state.encoding import decode_state
from processors.state.own import MUTED_UNTIL
from schemas.records import (
    AccountOverride,
    AccountProfile,
    AlertAction,
    BillingEvent,
    EngagementEvent,
    RiskAlert,
    SupportEvent,
    UsageEvent,
)
from schemas.times import DAY, HOUR, MINUTE
from tests.support.account_story import AccountStory

START = 20_000 * DAY


class Account(AccountStory):
    """One account: a healthy customer once it is ``established``."""

    def __init__(self) -> None:
        super().__init__(START)

    def usage(self, **fields: Any) -> UsageEvent:
        return self.event(UsageEvent, **({"name": "did", "user_id": "u", "feature": "f"} | fields))

    def busy_day(self, day: int) -> list[UsageEvent]:
        return [
            self.usage(at=START + day * DAY + 9 * HOUR, user_id=f"u{i % 5}", feature=f"f{i % 6}")
            for i in range(20)
        ]

    def established(self, days: int = 60) -> None:
        """A healthy customer: seats, a subscription and usage on every weekday."""
        profile = self.event(AccountProfile, name="Acme", owner="ann", seats=5)
        started = self.event(
            BillingEvent, kind="subscription_started", subscription_id="s", mrr_minor=10_000,
            renews_at=START + 300 * DAY,
        )  # fmt: skip
        self.at(START, profile, started)
        for day in range(days):
            self.at(START + day * DAY + 10 * HOUR, *self.busy_day(day))


def rules(alerts: list[RiskAlert]) -> list[tuple[str, str, str]]:
    return [(a.rule, a.change, a.severity) for a in alerts]


def test_a_good_customer_is_healthy_without_alerts() -> None:
    account = Account()
    account.established()
    assert account.health.band == "healthy"
    assert account.health.score > 95
    assert account.health.coverage == 1.0
    assert (account.health.name, account.health.owner) == ("Acme", "ann")
    assert account.alerts == []


def test_a_stranger_is_unknown_not_bad() -> None:
    account = Account()
    account.at(START, account.event(AccountProfile, name="New"))
    assert account.health.band == "unknown"
    assert account.alerts == []


def test_silence_is_noticed_on_time_without_an_event() -> None:
    """
    Silence opens an alert after 10 days and makes it worse after 21, to the hour of the batch.

        day      0 ... 59 | 60 ... 69 | 70 ... 80 | 81 ... 83 | 84
        usage    x x x x  |           |           |           | x
        quiet                           opened      updated     resolved
    """
    account = Account()
    account.established()
    last = account.now - HOUR
    opened: dict[str, int] = {}
    for _ in range(24 * 24):
        for alert in account.at(account.now + HOUR):
            if alert.rule == "quiet":
                opened[alert.change] = account.now
    assert 0 <= opened["opened"] - (last + 10 * DAY) <= HOUR
    assert 0 <= opened["updated"] - (last + 21 * DAY) <= HOUR
    assert [a.change for a in account.alerts if a.rule == "quiet"] == ["opened", "updated"]
    back = account.at(account.now + HOUR, account.usage(at=account.now))
    assert ("quiet", "resolved", "critical") in rules(back)


def test_the_same_episode_has_the_same_id_and_the_next_another() -> None:
    """
    An episode keeps its id until it is resolved; the next episode of the rule has another.

        hour     +1          +2          +3
        event    scheduled   withdrawn   scheduled
        change   opened      resolved    opened
        id       A           A           B
    """
    account = Account()
    account.established()
    cancel = account.event(BillingEvent, kind="cancel_scheduled", subscription_id="s")
    first = account.at(account.now + HOUR, cancel)
    assert ("canceling", "opened", "critical") in rules(first)
    assert account.health.score <= 20
    withdrawn = account.event(BillingEvent, kind="cancel_withdrawn", subscription_id="s", at=account.now + 1)
    second = account.at(account.now + HOUR, withdrawn)
    assert ("canceling", "resolved", "critical") in rules(second)
    again = account.event(BillingEvent, kind="cancel_scheduled", subscription_id="s", at=account.now + 2)
    third = account.at(account.now + HOUR, again)
    ids = [next(a.alert_id for a in alerts if a.rule == "canceling") for alerts in (first, second, third)]
    assert ids[0] == ids[1] != ids[2]


def test_a_failed_payment_is_first_a_notice_then_a_warning_then_over() -> None:
    """
    One alert for one invoice: worse with the third failure, over with the payment.

        day      +1       +2       +3        +3 and an hour
        event    failed   failed   failed    paid
        alert    notice            warning   resolved
    """
    account = Account()
    account.established()
    seen = []
    for _ in range(3):
        failed = account.event(BillingEvent, kind="payment_failed", invoice_id="i")
        seen += rules(account.at(account.now + DAY, failed, *account.busy_day((account.now - START) // DAY)))
    paid = account.event(BillingEvent, kind="invoice_paid", invoice_id="i", at=account.now + 1)
    seen += rules(account.at(account.now + HOUR, paid))
    assert [s for s in seen if s[0] == "payment"] == [
        ("payment", "opened", "notice"),
        ("payment", "updated", "warning"),
        ("payment", "resolved", "warning"),
    ]


def test_an_urgent_ticket_caps_the_score_after_48_hours_and_not_before() -> None:
    """
    The cap on the score (40) waits for 48 hours.

        hour     0 ......... 47   49 ......... 54   55
        ticket   opened                             solved
        score    over 40          40 at most        over 70
    """
    account = Account()
    account.established()
    opened = account.now
    ticket = account.event(SupportEvent, ticket_id="t", kind="opened", severity="urgent", at=opened)
    account.at(opened, ticket)
    assert account.health.caps == []
    scores = {}
    for hour in range(1, 55):
        day = (opened + hour * HOUR - START) // DAY
        extra = account.busy_day(day) if hour % 24 == 23 else []
        account.at(opened + hour * HOUR, *extra)
        scores[hour] = account.health.score
    assert scores[47] > 40
    assert scores[49] <= 40
    assert [a.rule for a in account.alerts].count("urgent_ticket") == 1
    solved = account.event(SupportEvent, ticket_id="t", kind="solved", at=account.now)
    account.at(account.now + HOUR, solved)
    assert account.health.score > 70


def test_a_halved_week_drops_the_score_and_says_so() -> None:
    account = Account()
    account.established()
    before = account.health.score
    for day in range(60, 68):
        few = account.busy_day(day)[:8]
        account.at(START + day * DAY + 10 * HOUR, *few)
    assert account.health.score < before - 10
    assert account.health.reasons[0].startswith("Usage down 60% against its usual week")


def test_a_churned_account_is_silent_for_good() -> None:
    """
    The end of a subscription resolves every alert; nothing is published of the account afterwards.

        hour     +1       +2         200 days
        event    failed   canceled   none
        alert    opened   resolved   none
    """
    account = Account()
    account.established()
    account.at(account.now + HOUR, account.event(BillingEvent, kind="payment_failed", invoice_id="i"))
    gone = account.event(BillingEvent, kind="subscription_canceled", subscription_id="s", at=account.now + 1)
    closing = account.at(account.now + HOUR, gone)
    assert ("payment", "resolved", "notice") in rules(closing)
    assert account.health.stage == "churned"
    for _ in range(200):
        assert account.at(account.now + DAY) == []
    state = decode_state(account.partition.states[b"acme:a"])
    assert state.usage.days == {}


def test_acknowledging_updates_and_dismissing_silences_the_episode() -> None:
    """
    A dismissed episode stays silent, also when its cause goes on.

        hour     +1       then           then        +1, +2, +3
        event    failed   acknowledged   dismissed   failed
        alert    opened   updated        resolved    none
    """
    account = Account()
    account.established()
    failed = account.event(BillingEvent, kind="payment_failed", invoice_id="i")
    [alert] = account.at(account.now + HOUR, failed)
    act = {"alert_id": alert.alert_id, "author": "ann"}
    taken = account.at(account.now + 1, actions=[account.event(AlertAction, kind="acknowledged", **act)])
    assert [(a.change, a.acknowledged_by) for a in taken] == [("updated", "ann")]
    gone = account.at(account.now + 1, actions=[account.event(AlertAction, kind="dismissed", **act)])
    assert [(a.change, a.dismissed_by, a.acknowledged_by) for a in gone] == [("resolved", "ann", "ann")]
    for _ in range(3):
        failed = account.event(BillingEvent, kind="payment_failed", invoice_id="i")
        assert "payment" not in [a.rule for a in account.at(account.now + HOUR, failed)]
    unknown = account.event(AlertAction, kind="acknowledged", alert_id="nope", author="ann")
    assert account.at(account.now + 1, actions=[unknown]) == []


def test_what_a_person_did_stands_beside_what_the_alert_says() -> None:
    account = Account()
    account.established()
    cancel = account.event(BillingEvent, kind="cancel_scheduled", subscription_id="s")
    [alert] = [a for a in account.at(account.now + HOUR, cancel) if a.rule == "canceling"]
    act = {"alert_id": alert.alert_id}
    acknowledged = account.event(AlertAction, kind="acknowledged", author="kim", note="I call them", **act)
    dismissed = account.event(AlertAction, kind="dismissed", author="ben", at=account.now + 9, **act)
    [taken] = account.at(account.now + 1, actions=[acknowledged])
    [gone] = account.at(account.now + 9, actions=[dismissed])
    assert {(a.title, a.action, a.severity) for a in (alert, taken, gone)} == {
        ("Cancellation scheduled", "Talk to the sponsor before the term ends", "critical")
    }
    since = acknowledged.occurred_at
    assert (taken.acknowledged_by, taken.acknowledged_at, taken.note) == ("kim", since, "I call them")
    assert (gone.acknowledged_by, gone.dismissed_by, gone.note) == ("kim", "ben", "I call them")


def test_an_alert_that_gets_worse_as_it_is_acknowledged_says_both_at_once() -> None:
    """Of two records of one batch a sink keeps the first, as they have one version."""
    account = Account()
    account.established()
    alert, *_ = account.at(
        account.now + HOUR, account.event(BillingEvent, kind="payment_failed", invoice_id="i")
    )
    act = account.event(AlertAction, kind="acknowledged", alert_id=alert.alert_id, author="kim")
    failures = [account.event(BillingEvent, kind="payment_failed", invoice_id="i") for _ in range(2)]
    [said] = [a for a in account.at(account.now + HOUR, *failures, actions=[act]) if a.rule == "payment"]
    assert (said.title, said.severity, said.acknowledged_by) == ("Payment keeps failing", "warning", "kim")


def test_an_alert_that_an_older_build_opened_is_acknowledged_by_its_rule() -> None:
    account = Account()
    account.established()
    failed = account.event(BillingEvent, kind="payment_failed", invoice_id="i")
    [alert] = account.at(account.now + HOUR, failed)
    state = decode_state(account.partition.states[b"acme:a"])
    state.episodes["payment"].title = ""
    taken = account.event(AlertAction, kind="acknowledged", alert_id=alert.alert_id, author="kim")
    assert [change.title for change in act(state, taken, account.now)] == ["payment"]


def test_a_band_that_only_a_cap_makes_bad_is_told_by_the_alert_on_its_cause_alone() -> None:
    """
    Silence has a rule of its own as well, so neither makes an alert on the band.

        day      60           then one a week       ...
        event    scheduled    silence
        alert    canceling                          quiet
    """
    account = Account()
    account.established()
    cancel = account.event(BillingEvent, kind="cancel_scheduled", subscription_id="s")
    assert [a.rule for a in account.at(account.now + HOUR, cancel)] == ["canceling"]
    assert account.health.band == "critical"
    assert len(account.health.open_alerts) == 1
    for _ in range(30):
        account.at(account.now + DAY)
    assert rules(account.alerts)[1:] == [("quiet", "opened", "warning"), ("quiet", "updated", "critical")]


def test_what_is_bad_beside_a_cap_is_told_as_well_and_no_worse_than_it_is() -> None:
    """
    A decline that began before a cancellation is scheduled is at risk by itself.

        day      60 ... 73           77                 then
        usage    a tenth of usual
        event                                           scheduled
        alert    (at risk)           decline            canceling
    """
    account = Account()
    account.established()
    for day in range(60, 78):
        account.at(START + day * DAY + 10 * HOUR, *account.busy_day(day)[:2])
        account.at(START + day * DAY + 23 * HOUR)
    [decline] = [a for a in account.alerts if a.change == "opened"]
    assert (decline.rule, decline.title) == ("decline", "Use of the product is declining")
    assert decline.reasons[0] == "Usage down 90% against its usual week (14 events, usually 140)"
    assert decline.score_before is not None
    assert decline.score_before > decline.score
    assert (decline.since or 0) <= decline.opened_at
    cancel = account.event(BillingEvent, kind="cancel_scheduled", subscription_id="s")
    assert rules(account.at(account.now + HOUR, cancel)) == [("canceling", "opened", "critical")]


@pytest.mark.parametrize(("term", "day", "told"), [(30, 50, []), (365, 304, []), (365, 306, ["renewal"])])
def test_a_renewal_without_contact_is_told_unless_every_month_has_one(
    term: int, day: int, told: list[str]
) -> None:
    """A renewal is told sixty days ahead; who renews every month is always near one."""
    account = Account()
    met = account.event(EngagementEvent, kind="meeting")
    bought: dict[str, Any] = {"subscription_id": "s", "renews_at": START + term * DAY}
    account.at(START, met, account.event(BillingEvent, kind="subscription_started", **bought))
    if term < day:
        bought |= {"renews_at": START + 2 * term * DAY, "at": START + term * DAY}
        account.at(START + term * DAY, account.event(BillingEvent, kind="subscription_updated", **bought))
    account.at(START + day * DAY, account.event(AccountProfile, name="Acme"))
    assert [alert.rule for alert in account.alerts if alert.rule == "renewal"] == told


def test_an_urgent_ticket_is_one_alert() -> None:
    account = Account()
    account.established()
    account.at(account.now, account.event(SupportEvent, ticket_id="t", kind="opened", severity="urgent"))
    for day in range(60, 64):
        account.at(START + day * DAY + 10 * HOUR, *account.busy_day(day))
    assert account.health.band == "at_risk"
    assert rules(account.alerts) == [("urgent_ticket", "opened", "warning")]
    assert account.alerts[0].reasons[0].startswith("Urgent ticket open for")


def test_an_alert_leads_with_its_own_reason() -> None:
    account = Account()
    account.established(60)
    for day in range(60, 90):  # a decline, which is the first of the account's reasons
        account.at(START + day * DAY + 10 * HOUR, *account.busy_day(day)[:2])
    failed = account.event(BillingEvent, kind="payment_failed", invoice_id="i")
    [alert] = [a for a in account.at(account.now + HOUR, failed) if a.rule == "payment"]
    assert alert.reasons[0] == "Payment failed 1 time"
    assert account.health.reasons[0] != alert.reasons[0]


def test_no_alert_tells_a_person_what_that_person_said() -> None:
    account = Account()
    account.established()
    said = {"author": "kim", "reason": "Told us"}
    account.at(account.now + HOUR, account.event(AccountOverride, target="score", value=10.0, **said))
    assert (account.health.band, account.alerts) == ("critical", [])
    for target in ("usage.trend", "usage.year", "people.lost"):
        account.at(account.now + 1, account.event(AccountOverride, target=target, value=0.0, **said))
    gone = account.event(AccountOverride, target="score", at=account.now + 1, **said)
    account.at(account.now + 2, gone)
    assert (account.health.band, account.alerts) == ("critical", [])


def test_what_is_bad_is_told_also_while_an_override_says_worse() -> None:
    account = Account()
    account.established()
    said = account.event(AccountOverride, target="score", value=10.0, author="kim", reason="Told us")
    account.at(account.now + HOUR, said)
    for day in range(60, 78):
        account.at(START + day * DAY + 10 * HOUR, *account.busy_day(day)[:2])
        account.at(START + day * DAY + 23 * HOUR)
    [alert, *_] = account.alerts
    assert (alert.rule, alert.band) == ("decline", "critical")
    assert not any("kim" in reason for reason in alert.reasons)


def test_what_begins_while_an_import_goes_on_is_muted_until_it_gets_worse() -> None:
    story = AccountStory(START)
    until = START + HOUR
    story.at(START, story.event(AccountProfile, own={MUTED_UNTIL: until}))
    failed = {"kind": "payment_failed", "invoice_id": "i", "amount_minor": 5, "currency": "EUR"}
    assert story.after(MINUTE, story.event(BillingEvent, **failed)) == []
    assert story.health.open_alerts == []
    worse = story.after(HOUR, *(story.event(BillingEvent, **failed) for _ in range(2)))
    assert [(one.rule, one.change, one.severity) for one in worse] == [("payment", "opened", "warning")]
    other = AccountStory(START)
    assert other.at(START, other.event(BillingEvent, **failed)) != []  # without a mute it is told at once
