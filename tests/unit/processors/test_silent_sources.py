"""A source that falls silent for everybody is our fault: measures are frozen, and nobody is alerted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from processors.fold.ask_rules import Grounds
from processors.fold.evaluation_cache import LoadedAccount, evaluate, verdict_on
from processors.fold.models_in_force import Models
from processors.model import DEFAULT
from processors.silent_sources import CATCHING_UP, KNOWN_FOR, MIN_ACCOUNTS, MIN_SILENCE, Feed, is_silent
from schemas.records import AccountProfile, BillingEvent, UsageEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.account_story import AccountStory
from tests.support.owner_alerts import Owners
from tests.unit.processors.test_measures import NOW, Account

START = 20_000 * DAY + 9 * HOUR


class Company(AccountStory):
    """Accounts that use the product every day at nine."""

    def __init__(self, accounts: int = 12, working_days: int = 5) -> None:
        super().__init__(START)
        self.working_days = working_days
        self.accounts = [f"a{n}" for n in range(accounts)]
        known = [self.event(AccountProfile, one, seats=3) for one in self.accounts]
        paid = [
            self.event(BillingEvent, one, kind="subscription_started", subscription_id="s")
            for one in self.accounts
        ]
        self.at(START, *known, *paid)

    def use(self, accounts: list[str], at: int) -> list[UsageEvent]:
        return [
            self.event(UsageEvent, one, name="did", user_id=f"u{n}", feature=f"f{n}", at=at)
            for one in accounts
            for n in range(6)
        ]

    def days(self, number: int, accounts: list[str] | None = None, few: str = "") -> None:
        """Let days pass, each working day with usage at nine; one account has ``few`` events."""
        who = self.accounts if accounts is None else accounts
        for _ in range(number):
            self.now += DAY
            used = self.use(who, self.now) + (self.use([few], self.now)[:1] if few else [])
            self.at(self.now, *(used if (self.now // DAY) % 7 < self.working_days else []))

    def usage_feed(self) -> Feed:
        return self.partition.folded.shared.feeds["acme", "usage.events"]

    def silence(self, days: int) -> None:
        for _ in range(days):
            self.at(self.now + DAY)


def test_a_source_that_is_silent_for_all_is_one_page_until_it_is_back_everywhere() -> None:
    company = Company()
    company.days(40)
    assert company.partition.owner_alerts == [one for one in company.partition.owner_alerts if one.alert.rule]
    company.partition.owner_alerts.clear()
    company.silence(5)
    company.partition.restart()
    company.silence(1)
    [silent] = company.partition.owner_alerts
    company.days(3)
    back = company.partition.owner_alerts[1:]
    assert [(one.alert.rule, one.alert.subject, one.alert.change) for one in (silent, *back)] == [
        ("silent_source", "usage.events", "opened"),
        ("silent_source", "usage.events", "resolved"),
    ]

    # Two partitions say so, each for itself.
    owners = Owners()
    other = [replace(one.alert, partition=1, alert_id="usage.events:1") for one in (silent, *back)]
    first = [silent.alert, back[0].alert]
    [page] = owners.after(HOUR, first[0])
    assert (page.recipient, page.kind, page.lane) == ("sre", "page", "outage")
    assert page.title.startswith("Nothing came on usage.events for ")
    assert owners.after(MINUTE, other[0]) == []
    assert owners.after(DAY, first[1]) == []
    [over] = owners.after(MINUTE, other[1])
    assert (over.kind, over.title) == ("page", "usage.events comes again")
    assert over.alerts[0].alert_id == page.alerts[0].alert_id
    assert owners.after(MINUTE, first[1]) == []


def quiet(company: Company) -> list[tuple[str, str]]:
    return [(one.account_id, one.change) for one in company.alerts if one.rule == "quiet"]


def test_a_dead_source_alerts_nobody_and_freezes_what_it_informs() -> None:
    company = Company()
    company.days(40)
    before = {one: company.partition.newest(one).score for one in company.accounts}
    company.silence(10)
    assert company.alerts == []
    company.at(company.now, *[company.event(AccountProfile, one, seats=3) for one in company.accounts])
    for one in company.accounts:
        health = company.partition.newest(one)
        assert health.silent_sources == ["usage.events"]
        assert health.band == "healthy"
        assert health.score == pytest.approx(before[one], abs=5)
        frozen = [measure for measure in health.measures if measure.name.startswith("usage.")]
        assert all(measure.stale for measure in frozen)
        assert all("silent for every account" in measure.reason for measure in frozen)
        assert not any(m.stale for m in health.measures if m.name.startswith("billing."))


def test_one_silent_account_among_many_is_its_own_silence() -> None:
    company = Company()
    company.days(40)
    company.days(12, company.accounts[1:])
    assert {account for account, _ in quiet(company)} == {"a0"}


def test_few_accounts_may_all_be_silent_of_their_own() -> None:
    company = Company(MIN_ACCOUNTS - 1)
    company.days(40)
    company.silence(12)
    assert {account for account, _ in quiet(company)} == set(company.accounts)


def test_a_usual_pause_is_no_silence() -> None:
    """Nobody uses the product at the weekend, so that is how long its silence may last, and half again."""
    company = Company()
    company.days(40)
    while (company.now // DAY) % 7 != 4:
        company.days(1)
    feed = company.usage_feed()
    usual = max(feed.pauses.values())
    assert usual == 3 * DAY
    assert not is_silent(feed, feed.last_at + 3 * usual // 2)
    assert is_silent(feed, feed.last_at + 3 * usual // 2 + 1)


def test_a_source_known_for_too_short_is_not_judged() -> None:
    company = Company()
    company.days(10)
    feed = company.usage_feed()
    assert feed.last_at - feed.first_at < KNOWN_FOR
    assert not is_silent(feed, feed.last_at + 100 * DAY)
    assert MIN_SILENCE < DAY


def test_what_was_at_risk_before_a_source_fell_silent_is_no_news_until_it_speaks_again() -> None:
    company = Company(working_days=7)
    company.days(84)
    while company.partition.newest("a0").band != "at_risk":
        assert company.alerts == []
        company.days(1, company.accounts[1:], few="a0")
    company.silence(12)
    assert company.alerts == []
    company.days(9, company.accounts[1:], few="a0")
    assert {(alert.account_id, alert.rule) for alert in company.alerts} == {("a0", "decline")}


@pytest.mark.parametrize(("still", "held"), [(7, True), (0, False)])
def test_a_band_that_only_held_values_make_so_bad_is_no_news(still: int, *, held: bool) -> None:
    """Use declines, and the champion is silent; of the first account that alone makes the band bad."""
    account = Account().weeks(range(30, 150), weekdays=range(7), times=6)
    account.weeks(range(30), weekdays=range(7), times=1)
    for ago in range(1, 2 * still, 2):
        account.use(ago, 3)
    account.engage(100, "champion_named", user_id="ann").use(45, user_id="ann")
    loaded = LoadedAccount(account.state)
    for frozen in ({}, {"engagement.events": NOW - DAY}):
        evaluation = evaluate(loaded, NOW, Models(DEFAULT), usage_only=False, frozen=frozen)
        verdict = verdict_on(loaded, evaluation, None)
        health = Grounds(evaluation, verdict, verdict.plan.bands.of(verdict.score)).health(frozenset())
        assert health.cause == "decline"
        assert health.held is (held and bool(frozen))


def test_when_it_speaks_again_each_account_is_frozen_until_its_own_first_event() -> None:
    """
    The end of a silence thaws an account with its own first event, and not before.

        usage of a0   x x x ... |  9 days without  | x
        usage of a1   x x x ... |  9 days without  |     x (late, of three days ago)
        frozen a0               [==================]
        frozen a1               [======================]
    """
    company = Company()
    company.days(40)
    company.silence(9)
    company.at(company.now + HOUR, *company.use(["a0"], company.now))
    back = company.now
    company.at(back + HOUR, *[company.event(AccountProfile, one, seats=3) for one in company.accounts])
    assert company.partition.newest("a0").silent_sources == []
    assert company.partition.newest("a1").silent_sources == ["usage.events"]
    assert company.alerts == []
    missed = company.use(company.accounts, company.now - 3 * DAY)
    company.at(back + 2 * HOUR, *missed)
    assert company.partition.newest("a1").silent_sources == []
    assert company.alerts == []


def test_who_stays_silent_after_the_outage_is_silent() -> None:
    company = Company()
    company.days(40)
    company.silence(9)
    for _ in range(4):
        company.days(1, company.accounts[1:])
    assert company.now > company.usage_feed().back_at + CATCHING_UP
    assert {account for account, change in quiet(company) if change == "opened"} == {"a0"}


def test_an_outage_does_not_become_usual() -> None:
    company = Company()
    company.days(40)
    before = max(company.usage_feed().pauses.values())
    company.silence(9)
    company.days(10)
    feed = company.usage_feed()
    assert feed.back_at > 0
    assert max(feed.pauses.values()) == before
