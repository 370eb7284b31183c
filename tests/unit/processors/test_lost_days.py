"""Days on which a tenant's usage doesn't come, wholly or in part, are nobody's silence."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.intake.admission import Admission, admit
from processors.lost_days import DayCounts, FeedDays, contact_count_of, count_of, shortfall, with_report
from processors.state.activity import active_days, with_day
from processors.state.parts import Day, Usage, brief
from processors.view.filled import filled, refilled
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import batch_lists
from schemas.records import (
    AccountProfile,
    AlertNotification,
    BillingEvent,
    FeedReport,
    JournalBatch,
    RiskAlert,
    UsageCell,
)
from schemas.times import DAY, HOUR

MONDAY = 20_003
"""A UTC day."""
EVENTS, ACCOUNTS, PARTITIONS = 20, 12, 4

Coming = Callable[[int, int], int]
"""Returns how many events of an account come on a day, by the account's number and the day's."""


class Tenant:
    """A dozen accounts in four partitions, with the same use on every working day; restarted every night."""

    def __init__(self, coming: Coming) -> None:
        self.coming = coming
        self.partitions = [FoldedPartition(number, Shared()) for number in range(PARTITIONS)]
        self.waiting: list[list[Any]] = [[] for _ in self.partitions]
        self.alerts: list[RiskAlert] = []
        self.notifications: list[AlertNotification] = []
        for number in range(ACCOUNTS):
            self.of(f"a{number}").append(self.event(AccountProfile, f"a{number}", seats=3))
            started = {"kind": "subscription_started", "subscription_id": "s"}
            self.of(f"a{number}").append(self.event(BillingEvent, f"a{number}", **started))

    def of(self, account_id: str) -> list[Any]:
        """Return what waits for the partition of an account."""
        return self.waiting[partition_of(account_key("acme", account_id), PARTITIONS)]

    def event(self, type_: type, account_id: str, **fields: Any) -> Any:
        at = MONDAY * DAY
        basics = {"tenant": "acme", "source": "test", "occurred_at": at, "received_at": at}
        return type_(event_id=f"{account_id}-{type_.__name__}", account_id=account_id, **basics, **fields)

    def days(self, first: int, end: int) -> None:
        """Let days pass, each with usage at ten."""
        for day in range(first, end):
            at = (MONDAY + day) * DAY
            self.step(at + HOUR + 1)
            self.step(at + HOUR + 2)
            for number in range(ACCOUNTS) if day % 7 < 5 else ():
                self.use(number, day, self.coming(number, day))
            self.step(at + 10 * HOUR)
            self.partitions = [restarted(partition) for partition in self.partitions]

    def use(self, number: int, day: int, events: int) -> None:
        """Let usage of a day come with the next step."""
        at = (MONDAY + day) * DAY + 9 * HOUR
        users = array("I", sorted(map(brief, ("ann", "ben")[:events])))
        if events:
            self.of(f"a{number}").append(
                UsageCell(
                    tenant="acme", account_id=f"a{number}", day=MONDAY + day, events=events, errors=0,
                    duration_ms=0, latency_ms=0, latencies=0, users=users.tobytes(), features=["f"],
                    first_at=at, last_at=at, received_at=at,
                )
            )  # fmt: skip

    def step(self, now: int) -> None:
        """Write and fold a batch of each partition; what they say to each other waits for the next step."""
        sent: list[tuple[int, Any]] = []
        for partition, waiting in zip(self.partitions, self.waiting, strict=True):
            cells = [each for each in waiting if isinstance(each, UsageCell)]
            others = batch_lists(each for each in waiting if not isinstance(each, UsageCell))
            sequence = partition.position.sequence + 1
            batch = JournalBatch(sequence=sequence, written_at=now, usage=cells, **others)
            waiting.clear()
            for outcome in partition.apply([(sequence, batch)]):
                self.alerts += [alert for _, alert in outcome.alerts]
                self.notifications += [told for _, told in outcome.notifications]
                sent += [(partition_of(key, PARTITIONS), alert) for key, alert in outcome.owner_alerts]
                sent += [(to, report) for report in outcome.feed_reports for to in range(PARTITIONS)]
                for report in outcome.feed_reports:
                    assert admit(asdict(report), now, Admission()) is None
        for to, event in sent:
            self.waiting[to].append(event)

    @property
    def pages(self) -> list[str]:
        return [f"{told.recipient}: {told.title}" for told in self.notifications if told.kind == "page"]


def restarted(partition: FoldedPartition) -> FoldedPartition:
    """Return the partition as a worker restores it from the changelog."""
    shared = Shared().with_entries(partition.shared.entries_since(Shared()))
    return FoldedPartition(
        partition.number, shared, partition.states, partition.position, owner_rows=partition.owner_rows
    )


OUTAGE = range(56, 60)
"""Monday to Thursday of the ninth week."""


def whole(_: int, day: int) -> int:
    return 0 if day in OUTAGE else EVENTS


def twentieth(_: int, day: int) -> int:
    return 1 if day in OUTAGE else EVENTS


def half_of_the_accounts(number: int, day: int) -> int:
    return 0 if day in OUTAGE and number % 2 else EVENTS


@pytest.mark.parametrize("coming", [whole, twentieth, half_of_the_accounts])
@pytest.mark.parametrize("made_up", [False, True])
def test_an_outage_alerts_no_customer_then_or_afterwards_and_is_one_page(
    coming: Coming, made_up: bool
) -> None:
    tenant = Tenant(coming)
    tenant.days(0, OUTAGE.stop)
    for number in range(ACCOUNTS) if made_up else ():
        for day in OUTAGE:
            tenant.use(number, day, EVENTS - coming(number, day))
    tenant.days(OUTAGE.stop, 100)

    assert tenant.alerts == []
    assert [page.partition(": ")[0] for page in tenant.pages] == ["sre", "sre"]
    begun, over = tenant.pages
    assert begun.startswith(("sre: usage.events come in part", "sre: Nothing came on usage.events"))
    assert over == "sre: usage.events comes again"
    [lost] = {partition.shared.lost_days("acme").usage for partition in tenant.partitions}
    days = [MONDAY + day for day in OUTAGE]
    assert list(lost) == (days[:-1] if made_up else days)  # the last one was made up for before it was judged


def test_who_falls_silent_alone_or_stays_away_after_an_outage_is_alerted() -> None:
    tenant = Tenant(lambda number, day: 0 if number == 3 and day >= 56 else whole(number, day))
    tenant.days(0, 90)
    assert {alert.account_id for alert in tenant.alerts if alert.severity == "critical"} == {"a3"}


def report(day: int, expected: int, short: int, newly_short: int) -> FeedReport:
    return FeedReport(
        event_id=f"{day}", tenant="acme", account_id="*", source="bellbuoy", occurred_at=0,
        received_at=0, topic="usage.events", day=day, expected=expected, short=short, newly_short=newly_short,
    )  # fmt: skip


def judged(*counts: tuple[int, int, int]) -> FeedDays:
    """Return what is known after four quiet weeks and these counts of the days that follow."""
    feed = FeedDays("acme")
    for day, (expected, short, newly_short) in enumerate([(10, 1, 1)] * 28 + list(counts)):
        feed = with_report(feed, report(day, expected, short, newly_short))
    return feed


@pytest.mark.parametrize(
    ("counts", "lost"),
    [
        ([(10, 2, 2), (10, 3, 2)], ()),  # chance
        ([(2, 2, 2)], ()),  # of so few nobody knows
        ([(10, 8, 8), (10, 7, 0), (10, 1, 0)], (28, 29)),  # it lasts while more than usual fall short
        ([(10, 8, 8), (1, 0, 0), (1, 1, 0), (10, 9, 0)], (28, 29, 30, 31)),  # and over a weekend
        ([(10, 5, 1), (10, 5, 0)], ()),  # what came one by one
    ],
)
def test_a_day_is_lost_where_many_fall_short_at_once(
    counts: list[tuple[int, int, int]], lost: tuple[int, ...]
) -> None:
    assert judged(*counts).lost == lost


def test_a_day_is_judged_again_as_more_partitions_report_it() -> None:
    feed = judged((2, 2, 2))
    assert feed.lost == ()
    assert with_report(feed, report(28, 8, 7, 7)).lost == (28,)


def test_one_lost_day_may_be_a_holiday_and_is_no_incident() -> None:
    assert shortfall(judged((10, 9, 9))) is None
    assert shortfall(judged((10, 9, 9), (10, 1, 0))) is None
    going_on = shortfall(judged((10, 9, 9), (10, 8, 0)))
    assert going_on is not None
    assert (going_on.since, going_on.newest) == (28, DayCounts(10, 8, 0))


def test_an_outage_of_two_weeks_becomes_usual() -> None:
    feed = judged(*[(10, 10, 10)] * 14, *[(10, 10, 0)] * 6)
    assert feed.lost == tuple(range(28, 42))


def contacts(*came: int, of: int = 12) -> FeedDays:
    """Return what is known after days, a Monday first, on which so many of the accounts were in contact."""
    feed = FeedDays("acme", topic="engagement.events")
    for day, number in enumerate(came, MONDAY):
        report_of = replace(report(day, of, of - number, 0), topic="engagement.events")
        feed = with_report(feed, report_of)
    return feed


WEEK = (2, 1, 2, 1, 2, 0, 0)


@pytest.mark.parametrize(
    ("came", "lost"),
    [
        ((0, 0, 0), range(0)),  # by chance
        ((0, 0, 0, 0), range(26, 32)),
        ((0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2), range(26, 37)),
        ((0, 0, 1, 0, 0, 0, 0, 0, 1), range(0)),  # weekends count for nothing
    ],
)
def test_days_of_engagement_are_lost_where_more_are_silent_than_chance_brings(
    came: tuple[int, ...], lost: range
) -> None:
    assert contacts(*WEEK * 4, *came).lost == tuple(MONDAY + day for day in lost)


def test_an_account_counts_for_engagement_for_four_weeks_after_it_was_heard_of() -> None:
    assert contact_count_of(None, 100) == DayCounts()
    assert contact_count_of(100 * DAY, 100) == DayCounts(1)
    assert contact_count_of(99 * DAY, 100) == DayCounts(1, 1)
    assert contact_count_of(73 * DAY, 100) == DayCounts(1, 1)
    assert contact_count_of(72 * DAY, 100) == DayCounts()


def used(*days: int, events: int = 8) -> Usage:
    """Return usage by ann on these days."""
    usage = Usage(
        days={day: Day(events=events) for day in days}, first_at=days[0] * DAY, last_at=days[-1] * DAY
    )
    activity = days[-1] << 32
    for day in days:
        activity |= 1 << days[-1] - day if days[-1] - day < 32 else 0
    usage.users = {7: activity}
    usage.features = {"f": days[-1]}
    return usage


def test_an_account_is_expected_where_it_came_three_weeks_of_four() -> None:
    assert count_of(used(0, 7, 14, 21), 28, (), ()) == DayCounts(1, 1, 1)
    assert count_of(used(0, 7, 21), 28, (), ()) == DayCounts(1, 1, 1)
    assert count_of(used(0, 21), 28, (), ()) == DayCounts()
    assert count_of(used(0, 7, 14, 21, 28), 28, (), ()) == DayCounts(1)
    assert count_of(used(7, 14, 21), 28, (), ()) == DayCounts()  # known for too short
    assert count_of(used(0, 7, 14, 21), 28, (), (28,)) == DayCounts()  # a holiday
    assert count_of(used(0, 7, 14, 28), 35, (21,), ()) == DayCounts(1, 1, 1)  # lost days are passed over


def test_a_lost_day_is_the_mean_of_such_weekdays_before() -> None:
    usage = used(1, 8, 9, 15, 17)
    usage.days[9].errors = 3
    full = filled(usage, (16,), 18)
    assert full.days[16] == Day(events=4, errors=2)  # of days 9 and 2
    usage.days[23] = Day(events=2)
    assert filled(usage, (16,), 23).days[16].events == 4  # it is not over yet
    assert filled(usage, (16,), 24).days[16].events == 3
    assert active_days(full.users[7]) == [17, 16, 15, 9, 8, 1]
    assert (full.last_at, full.features) == (17 * DAY, {"f": 17})
    assert 16 not in usage.days


@pytest.mark.parametrize(("came", "counts"), [(3, 8), (4, 4), (7, 7), (9, 9)])
def test_what_came_of_a_lost_day_stays_where_it_is_half_the_usual_or_more(came: int, counts: int) -> None:
    usage = used(8, 15, 16)
    usage.days[15].events = came
    assert filled(usage, (15,), 18).days[15].events == counts


def test_a_day_that_was_made_up_for_counts_as_it_came_for_people_too() -> None:
    usage = used(1, 8, 15, 16)
    usage.users[8] = with_day(with_day(None, 8), 16)
    assert filled(usage, (15,), 18) == usage


def test_who_came_last_before_lost_days_is_not_silent_on_them() -> None:
    full = filled(used(8, 9), (10, 11, 13), 14)
    assert full.last_at == 12 * DAY
    assert active_days(full.users[7]) == [12, 11]
    assert full.features == {"f": 12}


def test_more_of_today_changes_what_is_filled_in_by_nothing_else() -> None:
    usage = used(8, 9, 15, 17)
    before = filled(usage, (16,), 18)
    usage.days[17].events += 5
    usage.last_at = 17 * DAY + HOUR
    assert refilled(before, usage, (16,)) == filled(usage, (16,), 18)
    assert before == replace(before)
