"""Every measure on accounts made by hand: at, below and above each edge, and with data missing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from processors.intake.usage_rollup_rows import roll_up
from processors.measures import MEASURES, MeasureValue
from processors.model.plan.account_facts import ACCOUNT
from processors.observe import (
    bound,
    evict,
    observe_billing,
    observe_engagement,
    observe_profile,
    observe_support,
    observe_survey,
    observe_usage,
)
from processors.state.account import State
from processors.view import LostDays, View
from processors.view.queries import overdue_days
from schemas.records import (
    AccountProfile,
    BillingEvent,
    EngagementEvent,
    InputEvent,
    SupportEvent,
    SurveyResponse,
    UsageEvent,
)
from schemas.times import DAY

NOW = int(datetime(2026, 6, 17, 12, tzinfo=UTC).timestamp() * 1000)  # a Wednesday
HOUR = DAY // 24
WEEKDAYS = range(5)


class Account:
    """One account to which events are added by hand; times are given as days before now."""

    def __init__(self) -> None:
        self.state = State(tenant="acme", account_id="a")
        self.lost = LostDays()
        self._ids = itertools.count()

    def _add(self, kind: type[InputEvent], observe: Any, ago: float, fields: dict[str, Any]) -> Account:
        event = kind(
            event_id=f"e{next(self._ids)}",
            tenant="acme",
            account_id="a",
            source="test",
            occurred_at=int(NOW - ago * DAY),
            received_at=NOW,
            **fields,
        )
        if isinstance(event, UsageEvent):
            for cell in roll_up([msgspec.structs.asdict(event)]):
                observe(self.state, cell)
        else:
            observe(self.state, event)
        return self

    def use(self, ago: float, times: int = 1, **fields: Any) -> Account:
        for _ in range(times):
            self._add(UsageEvent, observe_usage, ago, {"name": "did", "user_id": "u"} | fields)
        return self

    def weeks(self, days: range, weekdays: Any = WEEKDAYS, times: int = 10, **fields: Any) -> Account:
        for ago in days:
            if datetime.fromtimestamp(NOW / 1000 - ago * 86_400, UTC).weekday() in weekdays:
                self.use(ago, times, **fields)
        return self

    def ticket(self, ago: float, key: str, kind: str, **fields: Any) -> Account:
        return self._add(SupportEvent, observe_support, ago, {"ticket_id": key, "kind": kind} | fields)

    def bill(self, ago: float, kind: str, **fields: Any) -> Account:
        about = {"subscription_id": "s", "invoice_id": "i", "currency": "EUR"}
        return self._add(BillingEvent, observe_billing, ago, about | {"kind": kind} | fields)

    def answer(self, ago: float, person: str, score: int | None, kind: str = "nps", **fields: Any) -> Account:
        about = {"survey_id": "q", "user_id": person, "kind": kind, "score": score}
        return self._add(SurveyResponse, observe_survey, ago, about | fields)

    def engage(self, ago: float, kind: str, **fields: Any) -> Account:
        return self._add(EngagementEvent, observe_engagement, ago, {"kind": kind} | fields)

    def profile(self, ago: float = 1, **fields: Any) -> Account:
        return self._add(AccountProfile, observe_profile, ago, fields)

    def fact(self, name: str) -> MeasureValue:
        evict(self.state, NOW)
        bound(self.state)
        return MEASURES[name](View(self.state, NOW, self.lost))

    def value(self, name: str) -> float | None:
        return self.fact(name).value


@pytest.mark.parametrize("name", MEASURES)
def test_of_an_empty_account_a_measure_is_zero_if_it_needs_nothing_and_otherwise_unknown(name: str) -> None:
    fact = Account().fact(name)
    needs_nothing = MEASURES[name].needs.startswith("nothing:")
    assert fact.value == (0 if needs_nothing else None)
    assert fact.reason


def test_names_units_and_sources_are_declared() -> None:
    for name, measured in MEASURES.items():
        assert measured.name == name
        assert measured.unit
        assert measured.window
        assert measured.sources
        assert measured.about.endswith(".")


def test_frequency_counts_days_with_today() -> None:
    assert Account().use(0).use(6.4).value("usage.frequency") == 2
    assert Account().use(0).use(6.6).value("usage.frequency") == 1


def test_unused_features() -> None:
    account = Account().use(1, feature="a").use(27.4, feature="b").use(28, feature="c").use(60, feature="d")
    assert account.value("usage.unused") == 2 / 4
    assert account.profile(features=10).value("usage.unused") == 8 / 10
    assert account.profile(0.5, features=3).value("usage.unused") == 2 / 4


def test_a_key_action_is_a_use_of_the_key_feature_or_an_event() -> None:
    account = Account().use(5, feature="report").use(1, feature="other")
    assert account.value("usage.key_action") is None
    assert account.profile(key_feature="report").value("usage.key_action") == 5
    assert account.engage(3, "key_action").value("usage.key_action") == 3
    assert Account().profile(key_feature="report").value("usage.key_action") == 90


def test_logins_stickiness_and_sessions() -> None:
    account = Account()
    for ago in (0, 1, 2, 9):
        account.use(ago, 3, user_id="often", duration_ms=120_000)
    account.use(20, user_id="once", duration_ms=60_000)
    assert account.value("usage.logins") == 3 / 2
    assert account.value("usage.stickiness") == pytest.approx(5 / 28 / 2)
    assert account.fact("usage.stickiness").reason == "9% of 2 monthly users come on a mean day"
    assert account.value("usage.session") == pytest.approx((4 * 6 + 1) / 5)
    assert Account().use(1).value("usage.session") is None
    assert Account().use(29).value("usage.stickiness") is None
    assert Account().use(1, user_id=None).value("usage.logins") is None


def test_a_quiet_weekend_is_no_anomaly() -> None:
    account = Account().weeks(range(2, 60))  # last used on Monday; Tuesday is missing
    assert account.value("usage.anomaly") == pytest.approx(-10 / 10**0.5)
    account.use(1, 10)
    assert account.value("usage.anomaly") == 0
    sunday = View(account.state, NOW - 3 * DAY)  # Sunday: the last working day was Friday
    assert MEASURES["usage.anomaly"](sunday).reason.startswith("Friday as usual")


def test_half_a_tuesday_is_an_anomaly_whatever_the_other_days() -> None:
    account = Account().weeks(range(2, 60), times=40).use(1, 20)
    fact = account.fact("usage.anomaly")
    assert fact.value == pytest.approx(-20 / 40**0.5)
    assert fact.reason == "Tuesday 50% below its usual (20 events, usually 40)"
    spike = Account().weeks(range(2, 60), times=40).use(1, 80)
    assert spike.value("usage.anomaly") == pytest.approx(40 / 40**0.5)


def test_an_anomaly_needs_four_same_weekdays() -> None:
    assert Account().weeks(range(1, 30)).value("usage.anomaly") == 0  # Tuesdays 8, 15, 22 and 29 days ago
    assert Account().weeks(range(1, 29)).value("usage.anomaly") is None


def test_a_noisy_account_needs_more_to_be_anomalous() -> None:
    steady, noisy = Account(), Account()
    for week, times in enumerate((40, 80, 20, 60, 40, 90, 10, 40), start=1):
        noisy.use(7 * week + 1, times)
        steady.use(7 * week + 1, 40)
    assert noisy.use(1, 20).value("usage.anomaly") == pytest.approx(-20 / (1.4826 * 20))
    assert steady.use(1, 20).value("usage.anomaly") == pytest.approx(-20 / 40**0.5)


def test_a_drop_names_a_usual_week_that_fits_it() -> None:
    account = Account()
    for week in range(10):
        for day in (1, 2, 3) if week % 2 else (1, 2):
            account.use(7 * week + day)

    reason = account.fact("usage.drop").reason
    assert reason == "Usage down 20% against its usual week (2 events, usually 2.5)"


def test_a_public_holiday_is_passed_over() -> None:
    whit_monday = datetime(2026, 5, 25, tzinfo=UTC)
    tuesday = int(whit_monday.timestamp() * 1000) + DAY + DAY // 2
    ago = round((NOW - tuesday) / DAY)
    account = Account()
    account.weeks(range(ago + 1, ago + 60))
    evict(account.state, tuesday)
    monday = View(account.state, tuesday)
    account.state.usage.days.pop(monday.today - 1)  # nobody worked on Whit Monday
    assert MEASURES["usage.anomaly"](View(account.state, tuesday)).value == pytest.approx(-(10**0.5))
    account.profile(60, country="DE")
    assert MEASURES["usage.anomaly"](View(account.state, tuesday)).reason.startswith("Friday as usual")
    drop = MEASURES["usage.drop"](View(account.state, tuesday))
    assert drop.value == 1
    account.profile(59, country="JP")  # the newest word counts, and Japan worked
    assert MEASURES["usage.drop"](View(account.state, tuesday)).value == pytest.approx(4 / 5)
    account.profile(58, country="ZZ")
    assert MEASURES["usage.drop"](View(account.state, tuesday)).value == pytest.approx(4 / 5)


def test_regularity_is_against_its_own_working_days() -> None:
    assert Account().weeks(range(1, 60)).value("usage.regularity") == 1
    sundays = Account().weeks(range(1, 60), weekdays=(6,))
    assert sundays.value("usage.regularity") == 1
    some = Account().weeks(range(15, 60)).weeks(range(1, 8))
    assert some.value("usage.regularity") == 15 / 20
    assert Account().use(6).value("usage.regularity") is None


def test_errors_and_latency() -> None:
    account = Account().use(1, 18, latency_ms=100).use(1, 1, error=True, latency_ms=400)
    assert account.value("performance.errors") == 1 / 19  # 28 days: there are under 20 events
    account.use(20, 21, latency_ms=50)
    assert account.value("performance.errors") == 1 / 40
    account.use(2, 1)
    assert account.value("performance.errors") == 1 / 20  # 20 events in the week: it speaks for itself
    assert account.value("performance.latency") == pytest.approx(2_200 / 19)
    assert account.value("performance.slowdown") == pytest.approx(2_200 / 19 / 50)
    assert Account().use(1).value("performance.latency") is None
    assert Account().use(28).value("performance.errors") is None


def test_uptime_is_what_was_last_reported() -> None:
    account = Account().profile(3, uptime_ppm=990_000).profile(5, uptime_ppm=1_000_000)
    assert account.fact("performance.uptime") == MeasureValue(
        0.99, "The product was up 99.00% of the time", NOW - 3 * DAY
    )


@pytest.mark.parametrize(
    ("months", "users", "ratio"),
    [(1, 4, 1.6), (2, 5, 1.0), (5.9, 5, 1.0), (6.1, 5, 5 / 7.5), (12, 8, 8 / 7.5)],
)
def test_seats_by_the_age_of_the_contract(months: float, users: int, ratio: float) -> None:
    account = Account().bill(months * 365.25 / 12, "subscription_started", seats=10)
    for user in range(users):
        account.use(1, user_id=f"u{user}")
    assert account.value("seats.adoption") == pytest.approx(ratio, rel=0.02)


def test_headroom_counts_only_what_lasts() -> None:
    account = Account().profile(seats=4)
    for user in "abc":
        account.use(1, user_id=user)
    assert account.value("seats.headroom") == 1
    for user in "abcd":
        account.use(14, user_id=user)
    assert account.value("seats.headroom") == 1 / 4
    for user in "defgh":
        account.use(2, user_id=user).use(27.4, user_id=user)
    assert account.value("seats.headroom") == -1
    assert Account().use(1).value("seats.headroom") is None


def test_open_tickets_by_severity_and_age() -> None:
    account = Account().ticket(3, "1", "opened", severity="high").ticket(9, "2", "opened")
    account.ticket(2.25, "3", "opened", severity="urgent")
    assert account.value("support.high") == 3
    assert account.value("support.other") == 9
    assert account.value("support.urgent") == 54
    account.ticket(1, "1", "solved").ticket(1, "2", "deleted")
    assert account.value("support.high") == account.value("support.other") == 0


def test_reopened_and_escalated_count_for_28_days() -> None:
    account = Account().ticket(40, "1", "opened").ticket(27.9, "1", "reopened").ticket(28, "2", "escalated")
    assert (account.value("support.reopened"), account.value("support.escalated")) == (1, 0)


def test_responses_and_solutions() -> None:
    account = Account()
    account.ticket(10, "1", "opened").ticket(10 - 1 / 24, "1", "answered").ticket(9, "1", "solved")
    account.ticket(8, "2", "opened").ticket(7.5, "2", "answered").ticket(7, "2", "answered")
    account.ticket(6, "2", "solved").ticket(2, "2", "closed")
    account.ticket(5, "3", "opened").ticket(4, "3", "solved").ticket(3, "3", "reopened")
    assert account.value("support.first_response") == 6.5
    assert account.value("support.resolution") == 36
    assert account.value("support.first_contact") == 1 / 2
    account.ticket(2, "3", "solved")
    assert account.value("support.first_contact") == 1 / 3
    assert account.fact("support.resolution").as_of == NOW - 2 * DAY


def test_signs_of_leaving_also_when_taken_back() -> None:
    account = Account().bill(400, "subscription_started", mrr_minor=100)
    assert account.value("billing.signals") == 0
    account.bill(89, "cancel_scheduled").bill(80, "cancel_withdrawn")
    account.bill(30, "subscription_updated", mrr_minor=50, previous_mrr_minor=100)
    assert account.value("billing.signals") == 2
    assert account.bill(1, "subscription_canceled").value("billing.signals") == 3


def test_money_that_does_not_come_in() -> None:
    account = Account().bill(90, "subscription_started", mrr_minor=100_00)
    account.bill(40, "invoice_issued", amount_minor=150_00, due_at=NOW - 1 * DAY)
    account.bill(5, "payment_failed")
    assert (account.value("billing.owed"), account.value("billing.payment")) == (1.5, 1)
    assert account.bill(3, "dispute_opened").value("billing.disputes") == 1
    assert account.bill(2, "dispute_closed").value("billing.disputes") == 0
    assert account.bill(1, "invoice_paid").value("billing.owed") == 0
    assert Account().bill(9, "invoice_issued", amount_minor=1, due_at=0).value("billing.owed") is None


def test_revenue_and_what_is_kept_of_it() -> None:
    account = Account().bill(400, "subscription_started", mrr_minor=100_00)
    account.bill(200, "subscription_updated", mrr_minor=60_00)
    account.bill(10, "subscription_started", subscription_id="t", mrr_minor=90_00)
    assert account.fact("revenue.mrr") == MeasureValue(150_00, "150 EUR a month")
    assert account.value("revenue.net_retention") == 1.5
    assert account.value("revenue.gross_retention") == 0.6
    assert account.fact("revenue.before") == MeasureValue(100_00, "100 EUR a month 12 months ago")
    assert account.use(1, user_id="a").use(1, user_id="b").value("revenue.arpu") == 75_00
    assert account.value("revenue.tenure") == pytest.approx(400 / (365.25 / 12))
    so_far = (200 * 100_00 + 200 * 60_00 + 10 * 90_00) / (365.25 / 12)
    assert account.value("revenue.lifetime_value") == pytest.approx(so_far + 150_00 / 0.035)
    account.bill(0, "subscription_canceled").bill(0, "subscription_canceled", subscription_id="t")
    assert account.value("revenue.mrr") == account.value("revenue.gross_retention") == 0


def test_revenue_that_cannot_be_told() -> None:
    assert Account().profile(arr_minor=1_200, currency="EUR").value("revenue.mrr") == 100
    account = Account().bill(9, "subscription_started", mrr_minor=100)
    assert account.value("revenue.net_retention") is None
    account.bill(8, "subscription_started", subscription_id="t", mrr_minor=100, currency="USD")
    assert account.value("revenue.mrr") is None


def test_net_promoters_by_the_newest_answer_of_each() -> None:
    account = Account().answer(9, "a", 9).answer(8, "b", 6).answer(7, "c", 7).answer(300, "d", 10)
    assert account.value("surveys.nps") == 25
    account.answer(5, "b", 10, survey_id="next")
    assert account.fact("surveys.nps") == MeasureValue(
        75, "NPS +75 of 4 answers, 0 detractors", NOW - 5 * DAY
    )
    account.answer(4, "a", None, survey_id="next")  # declined: what was said before stands
    assert account.value("surveys.nps") == 75
    assert Account().answer(401, "a", 9).value("surveys.nps") is None


def test_satisfaction_and_ease() -> None:
    account = Account().answer(9, "a", 5, "csat").ticket(5, "1", "opened").ticket(4, "1", "rated", csat=2)
    assert account.value("surveys.csat") == 3.5
    assert account.answer(3, "a", 6, "ces", survey_id="e").value("surveys.ces") == 6


def test_silence_after_surveys() -> None:
    account = Account().answer(6, "late", None, step="sent")
    assert account.value("surveys.silence") is None
    for person in "abc":
        account.answer(7, person, None, step="sent")
    account.answer(3, "a", 8).answer(3, "b", None)
    assert account.value("surveys.silence") == 2 / 3
    account.answer(2, "a", None, step="withdrawn")
    assert account.value("surveys.silence") == 1


def test_contacts_and_replies() -> None:
    account = Account().engage(30, "email_sent").engage(29, "email_sent").engage(28.5, "email_received")
    account.engage(10, "email_sent").engage(9.75, "meeting")
    assert account.value("engagement.reply_latency") == 21
    assert account.value("engagement.silence") == 0
    assert account.value("engagement.last_touch") == 10  # a quarter before noon is still ten days ago
    account.engage(4, "email_sent").engage(2, "email_sent")
    assert account.value("engagement.silence") == 4
    assert account.value("engagement.last_touch") == 10


def test_a_champion_is_active_in_the_product_or_in_contact() -> None:
    account = Account().engage(50, "meeting", user_id="c").use(20, user_id="c")
    assert account.value("engagement.champion") is None
    account.engage(60, "champion_named", user_id="c")
    assert account.value("engagement.champion") == 20
    assert account.engage(3, "email_received", user_id="c").value("engagement.champion") == 3
    assert account.engage(2, "champion_left", user_id="c").fact("engagement.champion") == MeasureValue(
        90, "The champion left", NOW - 2 * DAY
    )
    account.engage(1, "champion_named", user_id="d").use(0, user_id="d")
    assert account.value("engagement.champion") == 0
    assert account.value("engagement.sponsor") is None
    assert Account().engage(5, "champion_left").value("engagement.champion") == 90
    assert Account().engage(5, "sponsor_named", user_id="s").value("engagement.sponsor") == 90


def test_onboarding_moves_or_stalls() -> None:
    account = Account().engage(20, "milestone_set", name="live", due_at=NOW - 3 * DAY)
    account.engage(20, "milestone_set", name="team", due_at=NOW + DAY).engage(
        10, "milestone_reached", name="data"
    )
    assert account.value("onboarding.progress") == 1 / 3
    assert account.fact("onboarding.stall") == MeasureValue(3, "live: 3 days past its date")
    account.engage(1, "milestone_reached", name="live")
    assert account.value("onboarding.stall") == 0
    account.engage(0, "milestone_reached", name="team")
    assert account.fact("onboarding.stall") == MeasureValue(0, "All milestones reached")
    undated = Account().engage(9, "milestone_reached", name="data")
    assert undated.value("onboarding.stall") == 0
    assert undated.profile(stage="onboarding").value("onboarding.stall") == 9
    assert undated.value("onboarding.stalled") == 0  # a step may take two weeks
    waiting = Account().engage(20, "milestone_reached", name="data").profile(stage="onboarding")
    assert waiting.fact("onboarding.stalled").reason == "Onboarding stalled: No step for 20 days"
    assert waiting.value("onboarding.stalled") == 6


def lost(*ages: int) -> LostDays:
    """Return that the engagement of these days, by their age, was lost."""
    return LostDays(engagement=tuple(sorted(NOW // DAY - age for age in ages)))


def test_lost_days_of_engagement_are_nobodys_silence() -> None:
    account = Account().engage(40, "meeting").engage(40, "champion_named", user_id="c")
    account.engage(40, "email_received", user_id="c").engage(12, "email_sent").engage(8, "email_sent")
    assert account.value("engagement.last_touch") == 40
    account.lost = lost(*range(1, 11))
    assert account.value("engagement.last_touch") == 30
    assert account.value("engagement.champion_silent") == 30
    assert account.value("engagement.unanswered") == 0  # both may have been answered
    account.lost = lost(*range(1, 8))
    assert account.value("engagement.unanswered") == 1
    assert account.value("engagement.silence") == 5


def test_a_day_that_is_filled_in_shortens_no_usual_gap() -> None:
    account = Account()
    for ago in range(78, 0, -14):
        account.use(ago, 2)
    silent = MeasureValue(8 / 14, "No usage for 8 days; 14 are usual at most")
    assert account.fact("usage.gap") == silent
    account.lost = LostDays(usage=tuple(NOW // DAY - age for age in range(71, 14, -14)))
    assert account.fact("usage.gap") == silent


def test_lost_days_make_neither_errors_nor_waiting() -> None:
    account = Account().weeks(range(29), weekdays=range(7), times=2, latency_ms=200)
    account.weeks(range(43, 91), weekdays=range(7), times=2, latency_ms=100).use(
        9, error=True, latency_ms=200
    )
    names = [name for name in MEASURES if name.startswith("performance.") and name != "performance.uptime"]
    before = [account.value(name) for name in names]
    assert all(before)
    account.lost = LostDays(usage=(NOW // DAY - 16, NOW // DAY - 2))
    assert [account.value(name) for name in names] == before


def test_a_champion_is_silent_for_no_longer_than_the_account_is_known() -> None:
    account = Account().engage(60, "champion_named", user_id="ann")
    assert account.value("engagement.champion_silent") == 90  # nothing is known of its use
    account.use(25)
    assert account.fact("engagement.champion_silent") == MeasureValue(
        25, "Nothing from the champion in 25 days"
    )


def test_a_milestone_that_may_have_been_reached_on_lost_days_stalls_nothing() -> None:
    account = Account()
    for name, ago in (("data", 30), ("team", 10)):
        account.engage(60, "milestone_set", name=name, due_at=NOW - ago * DAY)
    assert account.value("onboarding.stall") == 30
    account.lost = lost(31)
    assert account.fact("onboarding.stall") == MeasureValue(10, "team: 10 days past its date")
    account.lost = lost(31, 4)
    assert account.value("onboarding.stall") == 0


def test_an_invoice_before_a_paid_one_of_the_same_amount_is_not_owed() -> None:
    def invoiced(amount: int, later: int) -> Account:
        account = Account().bill(
            60, "invoice_issued", invoice_id="1", amount_minor=amount, due_at=NOW - 40 * DAY
        )
        account.bill(30, "invoice_issued", invoice_id="2", amount_minor=later, due_at=NOW - 10 * DAY)
        return account.bill(9, "invoice_paid", invoice_id="2", amount_minor=later)

    assert invoiced(100, 100).value("billing.overdue") == 0
    assert invoiced(100, 99).value("billing.overdue") == 40  # an extra was paid
    failed = invoiced(100, 100).bill(50, "payment_failed", invoice_id="1", amount_minor=100)
    assert failed.value("billing.overdue") == 40
    account = invoiced(100, 100)
    for later in range(100):  # the paid one is forgotten after 90 days, and the other one no later
        evict(account.state, NOW + later * DAY)
        assert overdue_days(account.state, NOW + later * DAY) == 0
    assert Account().engage(4, "training_attended").value("onboarding.training") == 1


def test_idle_seats_of_a_new_customer_count_from_the_third_week_to_half_a_year() -> None:
    """
    Two of ten seats are in use.

    days since the start   10   30           90    200
    share                  0    0.8 * 30/45  0.8   0
    """
    for days, share in ((10, 0), (30, 0.8 * 30 / 45), (90, 0.8), (200, 0)):
        account = Account().profile(started_at=NOW - days * DAY, seats=10)
        account.use(1, user_id="ann").use(3, user_id="ben")
        assert account.value("onboarding.idle") == pytest.approx(share)
    assert Account().value("onboarding.idle") == 0


def test_goals_and_what_they_are_worth() -> None:
    account = Account().bill(40, "subscription_started", mrr_minor=100)
    account.engage(30, "goal_set", name="a", due_at=NOW - DAY).engage(
        30, "goal_set", name="b", due_at=NOW + DAY
    )
    assert account.value("value.goals") == 1 / 2
    account.engage(5, "goal_achieved", name="a", worth_minor=2_400, currency="EUR")
    assert account.value("value.goals") == 1
    assert account.value("value.roi") == 2
    account.engage(4, "goal_achieved", name="c", worth_minor=1, currency="USD")
    assert account.value("value.roi") is None
    account.engage(1, "goal_withdrawn", name="c")
    assert account.value("value.roi") == 2


def test_what_is_said_unasked() -> None:
    account = (
        Account().engage(80, "praise_received", name="support").engage(9, "complaint_received", name="price")
    )
    account.engage(8, "complaint_received", name="price").engage(89, "complaint_received")
    assert account.value("voice.feedback") == -1 / 2
    assert account.fact("voice.feedback").reason.endswith("the last about price")
    assert account.engage(399, "advocacy_shown", name="review").value("voice.advocacy") == 1
    assert Account().engage(401, "advocacy_shown").value("voice.advocacy") == 0


def test_a_sponsor_is_gone_who_left_or_is_silent() -> None:
    account = Account().engage(200, "sponsor_named", user_id="s").engage(89, "meeting", user_id="s")
    assert account.value("engagement.sponsor_gone") == 0
    silent = Account().engage(200, "sponsor_named", user_id="s").engage(90, "meeting", user_id="s")
    assert silent.fact("engagement.sponsor_gone") == MeasureValue(1, "Nothing from the sponsor in 90 days")
    left = account.engage(3, "sponsor_left", user_id="s").fact("engagement.sponsor_gone")
    assert left == MeasureValue(1, "The sponsor left", NOW - 3 * DAY)


def test_a_stalled_onboarding_is_held_from_its_day() -> None:
    account = Account().engage(40, "milestone_set", name="live", due_at=NOW - 14 * DAY)
    stalled = account.fact("onboarding.stalled")
    assert (stalled.value, stalled.reason) == (14, "Onboarding stalled: live: 14 days past its date")
    assert stalled.as_of == (NOW // DAY - 14) * DAY
    assert account.engage(1, "milestone_reached", name="live").value("onboarding.stalled") == 0


def test_detractors_count_by_how_many_they_outnumber_promoters() -> None:
    account = Account().answer(89, "a", 6).answer(8, "b", 0).answer(7, "c", 9).answer(6, "d", 8)
    detractors = account.fact("surveys.detractors")
    assert detractors == MeasureValue(1, "2 detractors of 4 NPS answers", NOW - 8 * DAY)
    assert account.answer(5, "e", 10).value("surveys.detractors") == 0
    assert Account().answer(90, "a", 0).value("surveys.detractors") == 0


def test_a_trend_compares_with_months_ago_and_few_events_make_none() -> None:
    steady = Account().weeks(range(1, 90))
    assert steady.value("usage.trend") == pytest.approx(0, abs=0.05)
    halved = Account().weeks(range(1, 29), times=5).weeks(range(29, 90), times=10)
    assert halved.value("usage.trend") == pytest.approx(-0.5, abs=0.06)
    few = Account().use(80).use(70).use(60)
    assert few.value("usage.trend") == pytest.approx(10 / 13 - 1)
    assert Account().weeks(range(1, 40)).value("usage.trend") == 0


def test_a_collapse_is_not_forgotten_after_eight_weeks() -> None:
    """The level of the last weeks is usual by then; that of weeks 9 to 12 still is not.

    weeks ago   12 ... 9    8 ... 1
    events      50 a week   5 a week
    """
    account = Account().weeks(range(57, 90)).weeks(range(1, 57), times=1)
    assert account.value("usage.drop") == pytest.approx(1, abs=0.01)
    assert (account.value("usage.trend") or 0) < -0.8


def test_a_fortnight_is_judged_by_the_accounts_own_spread() -> None:
    steady = Account().weeks(range(1, 90), times=10)
    assert steady.value("usage.fortnight") == pytest.approx(0, abs=0.5)
    dropped = Account().weeks(range(15, 90), times=10).weeks(range(1, 15), times=4)
    assert (dropped.value("usage.fortnight") or 0) < -4
    restless = Account().weeks(range(43, 57), times=16).weeks(range(15, 29), times=16)
    restless.weeks(range(29, 43), times=4).weeks(range(57, 90), times=4).weeks(range(1, 15), times=4)
    assert (restless.value("usage.fortnight") or 0) > -1.5
    assert Account().weeks(range(1, 60)).value("usage.fortnight") == 0


def test_silence_is_told_in_the_accounts_own_gaps() -> None:
    daily = Account().weeks(range(9, 90))
    weekly = Account().weeks(range(9, 90), weekdays=(0,))
    assert (daily.value("usage.gap") or 0) > 2.5
    assert (weekly.value("usage.gap") or 0) < 1.5
    assert Account().use(0).value("usage.gap") == 0
    assert Account().use(14).value("usage.gap") == 2


def test_public_holidays_are_no_silence() -> None:
    quiet = Account().weeks(range(30, 90)).use(24)
    at_home = Account().weeks(range(30, 90)).use(24).profile(country="DE")  # 25 May 2026 is Whit Monday
    assert (at_home.value("usage.gap") or 9) < (quiet.value("usage.gap") or 0)


def test_people_lost_counts_who_stays_away_and_regulars_sooner() -> None:
    account = Account()
    for user in ("a", "b", "c"):
        account.weeks(range(1, 60), times=1, user_id=user)
    assert account.value("people.lost") == 0
    account.weeks(range(40, 60), times=1, user_id="d").weeks(range(16, 40), times=1, user_id="e")
    assert account.value("people.lost") == pytest.approx(1 / 7)
    assert account.value("people.regulars_lost") == pytest.approx(2 / 6)
    assert Account().use(50, user_id="once").value("people.lost") == pytest.approx(1 / 3)
    assert Account().use(50, user_id="once").value("people.regulars_lost") == 0


def test_the_key_person_is_the_most_habitual_one() -> None:
    account = Account().weeks(range(1, 60), times=1, user_id="now and then", weekdays=(1,))
    account.weeks(range(20, 60), times=1, user_id="daily")
    assert (account.value("people.key_person") or 0) > 5
    assert Account().weeks(range(1, 60), weekdays=(1,)).value("people.key_person") == 0
    assert Account().weeks(range(1, 60)).value("people.key_person") == pytest.approx(1 / 3)


def test_tickets_that_go_badly_are_slow_reopened_escalated_or_rated_low() -> None:
    good = Account().ticket(10, "1", "opened").ticket(8, "1", "solved")
    assert good.value("support.troubled") == 0
    slow = Account().ticket(30, "1", "opened").ticket(20, "1", "solved")
    assert slow.value("support.troubled") == 1
    waiting = Account().ticket(6, "1", "opened", severity="urgent")
    assert waiting.value("support.troubled") == 2
    escalated = Account().ticket(3, "1", "opened").ticket(2, "1", "escalated")
    assert escalated.value("support.troubled") == 1
    assert Account().ticket(80, "1", "opened").ticket(76, "1", "solved").value("support.troubled") == 0


def test_unanswered_mail_counts_from_the_last_answer() -> None:
    account = Account().engage(20, "email_sent").engage(15, "email_received")
    assert account.value("engagement.unanswered") == 0
    account.engage(10, "email_sent").engage(5, "email_sent").engage(1, "email_sent")
    assert account.value("engagement.unanswered") == 2
    account.engage(0.5, "meeting")
    assert account.value("engagement.unanswered") == 0


def test_failures_are_shrunk_and_last_for_28_days() -> None:
    assert Account().use(2).use(2, error=True).value("performance.failures") == pytest.approx(1 / 102)
    lasting = Account().use(20, 400).use(20, 100, error=True)
    assert lasting.value("performance.failures") == pytest.approx(1 / 6)


def test_idle_seats_count_days_of_use_against_working_days() -> None:
    account = Account().bill(60, "subscription_started", seats=2)
    assert account.use(1).value("seats.idle") == pytest.approx(1 - 1 / 40)
    assert Account().use(1).value("seats.idle") == 0


def test_a_price_rise_is_that_of_a_seat() -> None:
    account = Account().bill(200, "subscription_started", mrr_minor=1_000, seats=5)
    assert account.value("revenue.price_rise") == 0
    account.bill(20, "subscription_updated", mrr_minor=1_200)
    assert account.value("revenue.price_rise") == pytest.approx(0.2)
    account.bill(10, "subscription_updated", mrr_minor=2_400, seats=10)
    assert account.value("revenue.price_rise") == pytest.approx(0.2)
    more = Account().bill(200, "subscription_started", mrr_minor=1_000, seats=5)
    more.bill(10, "subscription_updated", mrr_minor=2_000, seats=10)
    assert more.value("revenue.price_rise") == 0


def test_a_champion_who_left_fades_and_a_new_one_ends_it() -> None:
    account = Account().engage(45, "champion_left", user_id="ann")
    assert account.value("engagement.champion_gone") == 0.5
    assert Account().engage(91, "champion_left", user_id="ann").value("engagement.champion_gone") == 0
    account.engage(10, "champion_named", user_id="ben")
    assert account.value("engagement.champion_gone") == 0


def test_a_champion_is_silent_once_there_is_one() -> None:
    assert Account().value("engagement.champion_silent") == 0
    named = Account().engage(60, "champion_named", user_id="ann").use(40, user_id="ann")
    assert named.value("engagement.champion_silent") == 40


def test_a_reduction_is_told_for_90_days() -> None:
    account = Account().bill(200, "subscription_started", mrr_minor=1_000)
    account.bill(20, "subscription_updated", mrr_minor=700, previous_mrr_minor=1_000)
    assert account.value("revenue.reduction") == pytest.approx(0.3)
    old = Account().bill(200, "subscription_updated", mrr_minor=700, previous_mrr_minor=1_000)
    assert old.value("revenue.reduction") == 0


def test_a_renewal_is_near_from_90_days_on_but_not_every_month() -> None:
    def renews(days: int) -> Account:
        return Account().bill(200, "subscription_started", renews_at=NOW + days * DAY)

    assert [renews(days).value("billing.renewal_near") for days in (90, 45, 0)] == [0, 0.5, 1]
    monthly = Account().bill(25, "subscription_started", renews_at=NOW + 5 * DAY)
    assert monthly.value("billing.renewal_near") == 0
    # A change in the middle of a year states the same date again, which makes the term no shorter.
    yearly = Account().bill(355, "subscription_started", renews_at=NOW + 10 * DAY)
    yearly.bill(20, "subscription_updated", renews_at=NOW + 10 * DAY, mrr_minor=1)
    assert yearly.value("billing.renewal_near") == pytest.approx(1 - 10 / 90)


def test_a_renewal_date_that_has_passed_is_renewed_where_that_is_known() -> None:
    def passed(stated: float, by: float) -> Account:
        """Return an account whose renewal date, stated so many days ago, was so many days ago."""
        return Account().bill(stated, "subscription_started", renews_at=int(NOW - by * DAY))

    def told(account: Account) -> tuple[float | None, float | None]:
        days = account.value("billing.renewal")
        view = View(account.state, NOW)
        assert ACCOUNT["renewal_days"].read(view) == days
        return days, account.value("billing.renewal_near")

    assert told(passed(365, 0)) == (0, 1)  # it is the day itself
    assert told(passed(38, 8)) == (22, 0)  # a month goes on by itself, month by month
    assert told(passed(98, 68)) == (22, 0)
    yearly = passed(395, 30)
    assert told(yearly) == (None, 0)  # whether it renewed is not known, and takes nothing away
    reason = yearly.fact("billing.renewal").reason
    assert reason == "The renewal date passed 30 days ago, and no newer one is known"
    yearly.bill(40, "invoice_issued", due_at=NOW - 31 * DAY, amount_minor=1).bill(20, "invoice_paid")
    assert told(yearly) == (None, 0)  # an invoice of the year before was paid late
    later = {"invoice_id": "j", "due_at": NOW - 15 * DAY, "amount_minor": 1}
    yearly.bill(29, "invoice_issued", **later)
    assert told(yearly) == (None, 0)
    yearly.bill(15, "invoice_paid", **later)
    assert told(yearly) == (335, 0)
    almost = passed(365 + 300, 300).bill(29, "invoice_paid", **later)
    assert told(almost) == (65, pytest.approx(1 - 65 / 90))
    assert told(passed(200, 30).bill(15, "invoice_paid", **later)) == (None, 0)  # of a term that is not known
    leaving = passed(38, 8).bill(7, "cancel_scheduled")
    assert leaving.value("billing.renewal") is None
    assert told(passed(20, 30)) == (None, 0)  # a date that had passed when it was stated


def remembered(weeks: int, quiet: range = range(0)) -> Account:
    """Return an account that used the product daily for so many weeks, and little in the quiet ones."""
    account = Account()
    for day in range(7 * weeks, 0, -1):
        account.use(day, 1 if day // 7 in quiet else 6)
    return account


def test_a_level_of_long_ago_is_remembered() -> None:
    account = remembered(50, quiet=range(16))
    evict(account.state, NOW)
    assert len(account.state.usage.days) == 90
    assert account.value("usage.trend") == 0  # in the ring it was always as low as now
    assert account.value("usage.year") < -0.7


def test_a_season_that_was_quiet_a_year_ago_is_no_decline() -> None:
    often = remembered(56, quiet=range(4))
    seasonal = remembered(56, quiet=range(4))
    for account, factor in ((often, 1.0), (seasonal, 0.2)):
        evict(account.state, NOW)
        weeks = account.state.usage.weeks
        newest = NOW // DAY // 7
        for week in weeks:
            if 50 <= newest - week <= 54:
                weeks[week] = round(weeks[week] * factor)
    assert often.value("usage.year") < -0.6
    assert seasonal.value("usage.year") > -0.4
