"""Worlds: their truth holds, signs begin at the onset and go back when saved, and bad files are refused."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

from bellbuoy.simulator.worlds.file import CAUSES, FeedSpec, WorldFile, WorldFileError
from bellbuoy.simulator.worlds.world import WORLDS, World, load_world
from schemas.records import AccountProfile, BillingEvent, InputEvent, UsageCell
from schemas.times import DAY

WITH_CAUSES = sorted(set(WORLDS) - {"levels"})


def altered(world: World, **changes: object) -> World:
    """The same customers in a world whose file differs in these keys."""
    return World(world.file.model_copy(update=changes), world.seed, len(world.customers), world.days)


@cache
def pair() -> tuple[World, dict[str, list[UsageCell | InputEvent]], dict[str, list[UsageCell | InputEvent]]]:
    """A world, what its accounts do, and what they would have done without any cause."""
    world = load_world("saas", seed=3, accounts=400, days=200)
    return world, by_account(world), by_account(altered(world, onsets_a_month=0.0))


def by_account(world: World) -> dict[str, list[UsageCell | InputEvent]]:
    lives: dict[str, list[UsageCell | InputEvent]] = defaultdict(list)
    for day in world.days_of_events():
        for item in (*day.cells, *day.events):
            lives[item.account_id].append(item)
    return lives


def before(items: list[UsageCell | InputEvent], time: int) -> list[UsageCell | InputEvent]:
    return [
        item
        for item in items
        if ((item.day + 1) * DAY <= time if isinstance(item, UsageCell) else item.occurred_at < time)
    ]


def usage(items: list[UsageCell | InputEvent], first: int, end: int) -> int:
    return sum(len(i.users) for i in items if isinstance(i, UsageCell) and first <= i.first_at < end)


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_has_a_hundred_churners_and_many_small_accounts(name: str) -> None:
    world = load_world(name)
    count = len(world.customers)

    assert sum(fate.churned_at is not None for fate in world.fates) >= 100
    assert sum(customer.people < 6 for customer in world.customers) > count / 3
    assert 0.28 < sum(customer.sends_little for customer in world.customers) / count < 0.42


@pytest.mark.parametrize("name", WITH_CAUSES)
def test_causes_last_20_to_135_days_and_a_third_and_more_are_saved(name: str) -> None:
    world = load_world(name, days=3_000)
    fates = [fate for fate in world.fates if fate.cause is not None]
    churned = [fate for fate in fates if fate.churned_at is not None and fate.onset is not None]

    assert {fate.cause for fate in fates} == set(world.file.causes)
    assert all(19 <= (fate.churned_at - fate.onset) / DAY <= 136 for fate in churned)
    assert 0.3 < sum(fate.saved_at is not None for fate in fates) / len(fates) < 0.45
    assert all(fate.notice_at is None or fate.notice_at < fate.churned_at for fate in churned)
    assert {fate.cause for fate in fates if fate.involuntary} == {"payment"}


def test_signs_of_a_cause_begin_at_its_onset_and_not_before() -> None:
    world, lives, calm = pair()
    changed: Counter[str] = Counter()
    fallen = [fate for fate in world.fates if fate.onset is not None]
    for fate in fallen:
        account = fate.account_id
        assert before(lives[account], fate.onset) == before(calm[account], fate.onset), fate
        end = fate.churned_at or fate.saved_at or world.start + world.days * DAY
        changed[fate.cause or ""] += before(lives[account], end) != before(calm[account], end)

    assert {fate.cause for fate in fallen} == set(CAUSES)
    assert set(changed) - {cause for cause, count in changed.items() if count} <= {"chance"}


def test_accounts_without_a_cause_live_as_if_there_were_none() -> None:
    world, lives, calm = pair()

    for fate in world.fates:
        if fate.cause is None:
            assert lives[fate.account_id] == calm[fate.account_id]


def test_saved_accounts_come_back_to_what_they_would_have_done() -> None:
    world, lives, calm = pair()
    end = world.start + world.days * DAY
    low, back, low_usual, back_usual = 0, 0, 0, 0
    for fate in world.fates:
        if fate.saved_at is not None and fate.cause in ("decay", "reorganisation", "onboarding", "champion"):
            worst, later = (fate.saved_at - 7 * DAY, fate.saved_at), (fate.saved_at + 22 * DAY, end)
            low, low_usual = (
                low + usage(lives[fate.account_id], *worst),
                low_usual + usage(calm[fate.account_id], *worst),
            )
            back += usage(lives[fate.account_id], *later)
            back_usual += usage(calm[fate.account_id], *later)

    assert low < 0.8 * low_usual
    assert back > 0.85 * back_usual


def test_nothing_happens_after_churn_and_its_last_word_is_the_end_of_the_subscription() -> None:
    world, lives, _ = pair()
    churned = [fate for fate in world.fates if fate.churned_at is not None]
    for fate in churned:
        items = lives[fate.account_id]
        assert max(i.last_at if isinstance(i, UsageCell) else i.occurred_at for i in items) == fate.churned_at
        ends = [i for i in items if isinstance(i, BillingEvent) and i.kind == "subscription_canceled"]
        assert [event.occurred_at for event in ends] == [fate.churned_at]
        notices = [
            i.occurred_at
            for i in items
            if isinstance(i, BillingEvent) and i.kind == "cancel_scheduled" and i.cancel_at == fate.churned_at
        ]
        assert fate.notice_at is None or fate.notice_at in notices

    assert churned
    assert any(fate.notice_at is not None for fate in churned)


def test_payments_that_end_a_subscription_fail_again_and_again() -> None:
    world, lives, _ = pair()
    involuntary = [fate for fate in world.fates if fate.involuntary and fate.churned_at is not None]
    for fate in involuntary:
        kinds = Counter(
            i.kind
            for i in lives[fate.account_id]
            if isinstance(i, BillingEvent) and i.occurred_at >= (fate.onset or 0)
        )
        assert kinds["payment_failed"] >= 4
        assert kinds["invoice_paid"] <= 1  # one from before that was paid late

    assert involuntary


def test_an_account_that_sends_little_sends_usage_billing_and_its_profile() -> None:
    world, lives, _ = pair()
    little = [customer.account_id for customer in world.customers if customer.sends_little]

    kinds = {type(item) for account in little for item in lives[account]}
    assert kinds == {UsageCell, BillingEvent, AccountProfile}


def test_calm_accounts_have_harmless_spells_of_the_same_signs() -> None:
    world, _, calm = pair()
    quiet_weeks = failed = urgent = 0
    for fate in world.fates:
        if fate.cause is None:
            items = calm[fate.account_id]
            weeks = [
                usage(items, world.start + week * 7 * DAY, world.start + (week + 1) * 7 * DAY)
                for week in range(5, 20)
            ]
            quiet_weeks += min(weeks) < 0.4 * sorted(weeks)[len(weeks) // 2]
            failed += any(getattr(i, "kind", "") == "payment_failed" for i in items)
            urgent += any(getattr(i, "severity", "") == "urgent" for i in items)

    calm_count = sum(fate.cause is None for fate in world.fates)
    assert quiet_weeks > 0.15 * calm_count
    assert failed > 0.1 * calm_count
    assert urgent > 0.05 * calm_count


def test_a_feed_dies_wholly_in_part_for_some_and_is_made_up_for_or_not() -> None:
    quiet = load_world("feeds", accounts=120, days=80)
    usual = sum(cell.events for day in altered(quiet, feeds=[]).days_of_events() for cell in day.cells)

    def played(**spec: object) -> tuple[list[int], int]:
        feed = FeedSpec.model_validate({"topic": "usage", "days": 3, "every_days": 20, **spec})
        days = list(altered(quiet, feeds=[feed], tenant_accounts=(120, 120)).days_of_events())
        late = sum(cell.day * DAY < day.at - DAY for day in days for cell in day.cells)
        workdays = [sum(c.events for c in day.cells) for day in days if (day.at // DAY + 2) % 7 < 5]
        return workdays, late

    whole, late = played()
    assert min(whole) == 0
    assert late == 0
    part, _ = played(keeps=0.05)
    assert 0 < min(part) < 0.12 * max(part)
    some, _ = played(accounts=0.5)
    assert 0.2 * max(some) < min(some) < 0.75 * max(some)
    made_up, late = played(made_up=True)
    assert late > 100
    assert sum(made_up) > sum(whole)
    assert sum(whole) < usual


def test_tenants_have_as_many_accounts_as_the_file_says() -> None:
    world = load_world("feeds")
    sizes = Counter(customer.tenant for customer in world.customers)

    assert world.partitions >= 4
    assert all(size <= 60 for size in sizes.values())
    assert sum(size < 10 for size in sizes.values()) <= 1  # the last one, cut


def test_the_levels_of_leavers_differ_and_nothing_changes_before_they_leave() -> None:
    world = load_world("levels")
    left = {fate.account_id for fate in world.fates if fate.churned_at is not None}
    levels = [
        [c.usage_level for c in world.customers if (c.account_id in left) is gone] for gone in (True, False)
    ]

    assert sum(levels[0]) / len(levels[0]) < sum(levels[1]) / len(levels[1]) - 0.4


def test_an_unknown_world_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(WorldFileError, match="did you mean saas"):
        load_world("sass")


def test_a_bad_world_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        """\
world: Bad World
acounts: 10
days: 5
segments:
  a:
    share: 0.5
    seats: {median: 0, least: 9, most: 3}
    plans: []
    price_minor: 100
    currency: euro
    terms_months: {12: 0.4}
    rhythms: {daily: 0.9, weekly: 0.9}
countries: {XX: 1.0}
august: [0.9, 0.1]
causes:
  decay: {days: [10, 200], saved: 0.9}
  boredom: {}
levels: {}
"""
    )

    with pytest.raises(WorldFileError) as refused:
        load_world(file)

    message = str(refused.value)
    for fault in (
        "1:1: world:", "did you mean accounts?", "days:", "segments.a.seats", "segments.a.plans",
        "segments.a.currency", "the shares sum to 0.4", "segments.a.rhythms", "countries.XX",
        "write [0.1, 0.9]",
        "causes.decay.days.0", "causes.decay.days.1", "causes.decay.saved", "causes.boredom",
        "levels: given beside causes; keep one of the two",
    ):  # fmt: skip
        assert fault in message


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("world: [", "not YAML"),
        ("- a", "mapping"),
        ("world: a\nworld: b\n", "given twice"),
        ("world: a\nsegments: {}\n", "nobody would ever leave"),
    ],
)
def test_what_is_no_world_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)

    with pytest.raises(WorldFileError, match=fault):
        load_world(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldFileError, match="correct the path"):
        load_world(tmp_path / "none.yaml")


def test_the_file_says_that_no_tuning_may_read_the_unseen_world() -> None:
    path = Path("bellbuoy/simulator/worlds/files/unseen.yaml")

    assert path.read_text().startswith("# KEEP OUT OF ALL TUNING")
    assert isinstance(load_world("unseen").file, WorldFile)
