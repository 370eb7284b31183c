"""
The default model: each grave sign alone leaves the healthy band, and a calm account does not.

Its first version still scores as the eleven measures in code did, so that old model files keep their meaning.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from processors.measures import MEASURES
from processors.model import DEFAULT, load_model
from processors.scoring.score import assess, settle, weigh
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.view import View
from schemas.records import AccountProfile, BillingEvent, SupportEvent, UsageEvent
from schemas.times import DAY, HOUR
from tests.support.account_story import AccountStory

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "default_model.v1.json"
FIRST = load_model(GOLDEN.with_suffix(".yaml").read_text())
START = 20_000 * DAY + 9 * HOUR
ACCOUNTS: list[dict[str, Any]] = msgspec.json.decode(GOLDEN.read_bytes())


@pytest.mark.parametrize("kept", ACCOUNTS, ids=range(len(ACCOUNTS)))
def test_an_account_keeps_its_score_to_the_hundredth(kept: dict[str, Any]) -> None:
    state, now = decode_state(base64.b64decode(kept["state"])), kept["now"]

    verdict = assess(state, now, FIRST)

    assert (verdict.score, verdict.coverage) == (kept["score"], kept["coverage"])
    assert settle(verdict, state, now).band == kept["band"]
    assert [[m.name, m.score, m.contribution] for m in verdict.measures] == kept["measures"]
    assert [[c.name, c.limit, c.contribution, c.until, c.reason] for c in verdict.caps] == kept["caps"]
    assert list(verdict.reasons) == kept["reasons"]


def test_every_measure_is_part_of_it() -> None:
    plan = DEFAULT.plan
    shown = {term.name for term in (*plan.terms, *plan.informs)}
    assert {read.name for read in plan.shows} == {term.name for term in plan.informs}
    holding = {read.name for read in plan.reads} - shown
    assert shown | holding == set(MEASURES)
    assert {plan.reads[cap.at].name for cap in plan.caps} >= holding


def test_usage_is_enough_for_a_band() -> None:
    """Without tickets, goals, surveys, milestones or contacts everything that counts can still be known."""
    view = View(State(tenant="acme", account_id="a"), 0)
    facts = [read(view) for read in DEFAULT.plan.reads]
    used = [msgspec.structs.replace(fact, value=0.0) if fact.value is None else fact for fact in facts]

    assert (weigh(DEFAULT.plan, used, view).coverage, weigh(DEFAULT.plan, used, view).judged) == (1.0, True)
    assert not weigh(DEFAULT.plan, facts, view).judged


def test_a_single_usage_event_is_all_that_the_coverage_asks_for() -> None:
    """Coverage counts what has a value: no trouble reported, and no past to compare with, are values."""
    story = AccountStory(START)
    story.at(START, story.event(SupportEvent, ticket_id="t", kind="opened"))
    unused = story.health
    story.after(HOUR, story.event(UsageEvent, user_id="ann", name="x"))

    assert [one.name for one in unused.measures if one.weight and one.value is None] == ["usage.gap"]
    assert (unused.coverage < 1.0, unused.band) == (True, "unknown")
    assert (story.health.coverage, story.health.band) == (1.0, "healthy")


def test_its_canonical_text_is_the_same_model() -> None:
    again = load_model(DEFAULT.text)
    assert again == DEFAULT
    assert (again.name, again.version) == (DEFAULT.name, DEFAULT.version)
    assert again.plan.bands == DEFAULT.plan.bands


class Customer(AccountStory):
    """A customer with people who come on every working day, paid by card, known for 100 days."""

    def __init__(self, people: int = 12, days: int = 100) -> None:
        super().__init__(START)
        started = self.event(
            BillingEvent, kind="subscription_started", subscription_id="s", seats=people, mrr_minor=50_000,
            renews_at=START + 400 * DAY,
        )  # fmt: skip
        self.at(START, started, self.event(AccountProfile, name="Acme", started_at=START - 300 * DAY))
        self.live(days, people)

    def live(self, days: int, people: int, events: int = 3, failing: float = 0.0) -> None:
        """Let days pass on which so many people do so many things, a share of which fails."""
        for _ in range(days):
            self.now += DAY
            working = (self.now // DAY + 3) % 7 < 5
            used = [
                self.event(
                    UsageEvent, name="did", user_id=f"u{person}", feature=f"f{n % 4}",
                    error=(person * events + n) % 100 < 100 * failing,
                )
                for person in range(people if working else 0)
                for n in range(events)
            ]  # fmt: skip
            self.at(self.now, *used)

    @property
    def open_rules(self) -> set[str]:
        opened = {alert.rule for alert in self.alerts if alert.change == "opened"}
        return opened - {alert.rule for alert in self.alerts if alert.change == "resolved"}


def test_a_calm_customer_is_healthy_without_an_alert() -> None:
    customer = Customer()
    assert customer.health.band == "healthy"
    assert customer.health.score > 90
    assert {alert.rule for alert in customer.alerts} == {"seats_full"}  # an opportunity


@pytest.mark.parametrize("people", [1, 3, 12])
def test_small_customers_are_healthy_as_well(people: int) -> None:
    assert Customer(people).health.band == "healthy"


def test_usage_that_stops_is_critical_and_never_unknown() -> None:
    customer = Customer()
    customer.live(15, 0)
    assert customer.health.band in ("at_risk", "critical")
    customer.live(100, 0)
    assert customer.health.band in ("at_risk", "critical")


def test_silence_of_months_is_no_recovery() -> None:
    """Once the last usage is 90 days ago, what it declined from is forgotten, but not that it declined."""
    customer = Customer()
    scores = []
    for days in (15, 30, 30, 30, 60):
        customer.live(days, 0)
        scores.append(customer.health.score)
    assert scores == sorted(scores, reverse=True)
    assert customer.health.band == "critical"
    assert any("in the last 90 days" in reason for reason in customer.health.reasons)


def test_people_gone_overnight_are_seen_though_one_still_comes_daily() -> None:
    customer = Customer(60)
    customer.live(30, 1)
    assert customer.health.band in ("at_risk", "critical")
    assert any("59 of 60" in reason for reason in customer.health.reasons)


def test_a_collapse_is_not_forgotten_after_eight_weeks() -> None:
    customer = Customer(20, 120)
    customer.live(56, 2)
    assert customer.health.band != "healthy"


def test_a_slow_decay_leaves_healthy_and_opens_an_alert() -> None:
    """
    Person after person stops coming over 75 days.

    day      0 ... 100   115   130   145   160   175
    people   20          16    12    8     4     1
    """
    customer = Customer(20)
    for people in (16, 12, 8, 4, 1):
        customer.live(15, people)
    assert customer.health.band in ("at_risk", "critical")
    assert customer.open_rules in ({"people"}, {"decline"})


def test_a_fifth_of_all_events_failing_is_not_healthy() -> None:
    customer = Customer()
    customer.live(30, 12, failing=0.2)
    assert customer.health.band in ("at_risk", "critical")
    assert "failed in 28 days" in customer.health.reasons[0]


def test_payments_that_fail_again_and_again_are_not_healthy() -> None:
    customer = Customer()
    for _ in range(3):
        customer.at(customer.now + HOUR, customer.event(BillingEvent, kind="payment_failed", invoice_id="i"))
    assert customer.health.band in ("at_risk", "critical")
    assert customer.health.reasons[0] == "Payment failed 3 times"


def test_an_invoice_long_overdue_is_at_risk() -> None:
    customer = Customer()
    issued = customer.event(
        BillingEvent, kind="invoice_issued", invoice_id="i", amount_minor=50_000, currency="EUR",
        due_at=customer.now,
    )  # fmt: skip
    customer.at(customer.now + HOUR, issued)
    customer.live(40, 12)
    assert customer.health.band in ("at_risk", "critical")


def test_mild_signs_add_up() -> None:
    """Each of the three alone leaves a customer healthy."""

    def after(*, slow: bool, fewer: bool, raised: bool) -> float:
        customer = Customer(10)
        if slow:
            tickets = [
                customer.event(SupportEvent, ticket_id=f"{n}", kind="opened", at=customer.now - 9 * DAY)
                for n in range(2)
            ]
            customer.at(customer.now, *tickets)
        if raised:
            price = customer.event(
                BillingEvent, kind="subscription_updated", subscription_id="s", mrr_minor=55_000
            )
            customer.at(customer.now, price)
        customer.live(28, 6 if fewer else 10)
        return customer.health.score

    alone = [after(slow=n == 0, fewer=n == 1, raised=n == 2) for n in range(3)]
    together = after(slow=True, fewer=True, raised=True)
    assert together < min(alone)


def test_small_counts_are_no_decline() -> None:
    """Of two people one, both or nobody come in a week, a few things each: that is this customer's habit."""
    customer = Customer(2, 1)
    for number, people in enumerate((1, 2, 0, 2, 1, 1, 2, 0) * 3):
        customer.live(7, people, events=1)
        assert number < 8 or customer.health.band == "healthy"
    assert not customer.open_rules & {"decline", "people", "silence", "quiet", "health"}


def test_a_near_renewal_after_a_price_rise_is_riskier_than_either() -> None:
    def after(*, price: bool, renewal: bool) -> float:
        customer = Customer()
        change = customer.event(
            BillingEvent, kind="subscription_updated", subscription_id="s", seats=12,
            mrr_minor=62_500 if price else 50_000, renews_at=customer.now + (20 if renewal else 300) * DAY,
        )  # fmt: skip
        customer.at(customer.now, change)
        customer.live(3, 12)
        return customer.health.score

    calm, dearer, near, both = (
        after(price=price, renewal=renewal)
        for price, renewal in ((False, False), (True, False), (False, True), (True, True))
    )
    assert calm > max(dearer, near)
    assert both < dearer * near / 100


def test_seats_that_nobody_uses_count_the_more_the_newer_a_customer_is() -> None:
    def with_idle_seats(days: int) -> Customer:
        customer = Customer(3)
        customer.at(
            customer.now,
            customer.event(AccountProfile, name="Acme", started_at=customer.now - days * DAY, seats=12),
            customer.event(BillingEvent, kind="subscription_updated", subscription_id="s", seats=12),
        )
        customer.live(2, 3)
        return customer

    young, old = with_idle_seats(90), with_idle_seats(500)
    assert young.health.score < old.health.score < 100
    assert "3 of 12 seats in use after" in young.health.reasons[0]


def test_one_reason_of_each_family_comes_before_the_others() -> None:
    """People stop coming and two payments fail: three words for the decline would hide the payments."""
    customer = Customer(20, 120)
    customer.live(30, 6)
    for _ in range(2):
        customer.at(customer.now + HOUR, customer.event(BillingEvent, kind="payment_failed", invoice_id="i"))
    families = {measure.reason: measure.group for measure in customer.health.measures}
    named = [families[reason] for reason in customer.health.reasons]
    assert len(set(named[:3])) == 3
    assert "payments" in named[:3]
    assert sum(one.contribution for one in customer.health.measures) + sum(
        one.contribution for one in customer.health.adjustments
    ) == pytest.approx(customer.health.score)
