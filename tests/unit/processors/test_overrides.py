"""What a person says in place of a measure: seen, bounded in time, and stronger than any recomputation."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from processors.state.encoding import encode_state
from schemas.records import (
    AccountLink,
    AccountOverride,
    AccountProfile,
    AlertAction,
    BillingEvent,
    JournalBatch,
    UsageEvent,
)
from schemas.times import DAY, HOUR
from tests.support.generators import batch
from tests.support.recorded_partition import RecordedPartition

START = 20_000 * DAY + 9 * HOUR
_ids = itertools.count()


class Customer:
    """One account in daily use, or one that never used the product."""

    def __init__(self, *, uses: bool = True) -> None:
        self.partition, self.now = RecordedPartition(), START
        self.at(START, self.event(BillingEvent, kind="subscription_started", subscription_id="s"))
        for day in range(1, 30):
            self.at(START + day * DAY, *(self.use() if uses else ()))

    def event(self, type_: type, **fields: Any) -> Any:
        basics = {
            "event_id": f"e{next(_ids)}",
            "tenant": "acme",
            "account_id": "a",
            "source": "test",
            "occurred_at": self.now,
            "received_at": self.now,
        }
        return type_(**(basics | fields))

    def use(self) -> list[UsageEvent]:
        return [self.event(UsageEvent, name="did", user_id=f"u{n}", feature=f"f{n}") for n in range(6)]

    def at(self, now: int, *happened: Any) -> None:
        self.now = now
        self.partition.add(batch(self.partition.position.sequence + 1, now, list(happened)))

    def say(self, *said: AccountOverride) -> None:
        sequence = self.partition.position.sequence + 1
        self.partition.add(JournalBatch(sequence=sequence, written_at=self.now, overrides=list(said)))

    def override(self, value: float | None, **fields: Any) -> AccountOverride:
        basics = {"target": "score", "reason": "They said so", "author": "kim"}
        number = None if value is None else float(value)
        return self.event(AccountOverride, **(basics | {"value": number} | fields))


def whole(customer: Customer) -> float:
    health = customer.partition.newest("a")
    parts = [*health.measures, *health.adjustments, *health.caps]
    return sum(part.contribution for part in parts)


def test_the_score_is_what_was_said_and_still_the_sum_of_its_parts() -> None:
    customer = Customer()
    before = customer.partition.newest("a").score
    customer.say(customer.override(25.5))
    health = customer.partition.newest("a")
    assert (health.score, health.band) == (25.5, "critical")
    assert whole(customer) == pytest.approx(25.5)
    assert health.reasons[0] == "Set to 25.5 by kim: They said so"
    (shown,) = health.overrides
    assert (shown.target, shown.value, shown.author, shown.until) == ("score", 25.5, "kim", None)
    assert {a.name: a.contribution for a in health.adjustments}["override"] == pytest.approx(25.5 - before)


def test_it_survives_usage_midnights_and_a_restart() -> None:
    customer = Customer()
    customer.say(customer.override(25))
    for _ in range(3):
        customer.partition.restart()
        customer.at(customer.now + DAY, *customer.use())
    assert customer.partition.newest("a").score == 25


def test_it_ends_by_itself_on_the_millisecond() -> None:
    customer = Customer()
    before = customer.partition.newest("a").score
    end = customer.now + 2 * HOUR
    customer.say(customer.override(25, expires_at=end))
    customer.at(end - 1, *customer.use())
    assert customer.partition.newest("a").score == 25
    customer.at(end)
    assert customer.partition.newest("a").score == pytest.approx(before, abs=5)
    assert customer.partition.newest("a").overrides == []


def test_a_measure_is_set_in_its_place() -> None:
    customer = Customer()
    customer.say(customer.override(0, target="usage.gap"))
    measures = {measure.name: measure for measure in customer.partition.newest("a").measures}
    assert measures["usage.gap"].score == 0
    assert measures["usage.gap"].contribution < -40
    assert measures["usage.gap"].reason == "Set to 0 by kim: They said so"
    assert whole(customer) == pytest.approx(customer.partition.newest("a").score)


def test_a_measure_that_is_not_known_counts_once_it_is_said() -> None:
    customer = Customer(uses=False)
    before = customer.partition.newest("a")
    unknown = [m.name for m in before.measures if m.score is None and m.weight]
    assert before.coverage < 1
    customer.say(customer.override(100, target=unknown[0]))
    assert customer.partition.newest("a").coverage > before.coverage


def test_the_newest_word_counts_in_whatever_order_it_is_heard() -> None:
    one, other = Customer(), Customer()
    early = one.override(10, event_id="x1", occurred_at=one.now - HOUR)
    late = one.override(90, event_id="x2")
    one.say(early, late)
    other.say(late, early)
    assert one.partition.newest("a").score == other.partition.newest("a").score == 90
    assert one.partition.state("acme", "a").overrides == other.partition.state("acme", "a").overrides


def test_a_withdrawal_leaves_what_is_measured() -> None:
    customer = Customer()
    before = customer.partition.newest("a")
    customer.say(customer.override(10))
    customer.say(customer.override(None, event_id="x9", occurred_at=customer.now + 1))
    after = customer.partition.newest("a")
    assert (after.score, after.overrides, after.adjustments) == (before.score, [], before.adjustments)


def test_an_override_gives_an_account_without_data_a_band() -> None:
    partition = RecordedPartition()
    customer = Customer()
    said = customer.override(20, account_id="new")
    name = customer.event(AccountProfile, account_id="new", name="New")
    partition.add(JournalBatch(sequence=0, written_at=customer.now, overrides=[said], profiles=[name]))
    assert (partition.newest("new").band, partition.newest("new").score) == ("critical", 20)
    assert encode_state(partition.state("acme", "new")) == partition.states[b"acme:new"]


def test_what_people_say_makes_no_account_and_counts_once_there_is_one() -> None:
    partition, customer = RecordedPartition(), Customer()
    said = customer.override(20, account_id="nosuch")
    act = customer.event(AlertAction, account_id="other", alert_id="x", kind="acknowledged", author="kim")
    partition.add(JournalBatch(sequence=0, written_at=customer.now, overrides=[said], actions=[act]))
    partition.restart()
    partition.add(JournalBatch(sequence=1, written_at=customer.now + 40 * DAY))
    assert (partition.health, partition.kpis, partition.alerts) == ([], [], [])
    assert partition.position.applied == 2
    came = customer.event(AccountProfile, account_id="nosuch", name="So there is", occurred_at=customer.now)
    partition.add(JournalBatch(sequence=2, written_at=customer.now + 40 * DAY, profiles=[came]))
    assert [(one.account_id, one.score) for one in partition.health] == [("nosuch", 20)]


def test_an_override_that_moves_with_a_link_makes_no_account_either() -> None:
    partition, customer = RecordedPartition(), Customer()
    said = customer.override(20, account_id="old")
    link = customer.event(AccountLink, account_id="old", into="new")
    partition.add(JournalBatch(sequence=0, written_at=customer.now, overrides=[said], links=[link]))
    moved = partition.transfers
    partition.add(JournalBatch(sequence=1, written_at=customer.now + 1, transfers=moved))
    assert [transfer.account_id for transfer in moved] == ["new"]
    assert partition.health == []
