"""The simulated company: the same seed says the same, and the truth agrees with what is delivered."""

import io
from collections import Counter
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellbuoy.simulator.run.pace import Pace, next_step, step_limit
from bellbuoy.simulator.world.accounts import make_accounts
from bellbuoy.simulator.world.company import SimulatedCompany
from bellbuoy.simulator.world.delivery import topic_of
from bellbuoy.simulator.world.delivery_reader import DeliveryReader
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.world.plain_load import plain_load
from bellbuoy.simulator.world.states import INITIAL, TRANSITIONS, CustomerState, StatePath
from bellbuoy.simulator.world.truth import Truth
from schemas.records import BillingEvent, SupportEvent, UsageEvent
from schemas.times import DAY

START = 20_000 * DAY
SEEDS = st.integers(0, 2**32)
SHARES = st.floats(0, 0.3)
DISORDERS = st.builds(
    Disorder, late=SHARES, duplicate=SHARES, bad=SHARES, too_late=SHARES, from_future=SHARES
)


def taken(company, days):
    return list(takewhile(lambda d: d.at < company.start + days * DAY, company.deliveries()))


@pytest.fixture(scope="module")
def quarter():
    company = SimulatedCompany(7, 150, START)
    return company, taken(company, 90)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, disorder=DISORDERS)
def test_the_same_seed_gives_the_same_deliveries_in_time_order(seed, disorder):
    first = taken(SimulatedCompany(seed, 4, START, disorder), 6)

    assert first == taken(SimulatedCompany(seed, 4, START, disorder), 6)
    assert [d.at for d in first] == sorted(d.at for d in first)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_another_start_gives_other_ids(seed):
    ids = {d.event.event_id for d in taken(SimulatedCompany(seed, 3, START), 4)}

    assert ids.isdisjoint(d.event.event_id for d in taken(SimulatedCompany(seed, 3, START + DAY), 4))


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, disorder=DISORDERS)
def test_only_duplicates_repeat_an_id_and_they_come_after_their_original(seed, disorder):
    seen = {}
    for delivery in taken(SimulatedCompany(seed, 5, START, disorder), 10):
        key = (delivery.event.source, delivery.event.event_id)
        if delivery.kind == "duplicate":
            assert seen[key] == delivery.event
        else:
            assert key not in seen
            seen[key] = delivery.event


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, disorder=DISORDERS)
def test_what_is_planted_is_what_the_journal_must_find(seed, disorder):
    for delivery in taken(SimulatedCompany(seed, 5, START, disorder), 20):
        age = delivery.at - delivery.event.occurred_at
        match delivery.kind:
            case "clean" | "bad":
                assert age == 0
            case "late" | "duplicate":
                assert 0 <= age < 11 * DAY
            case "too_late":
                assert age > 91 * DAY
            case "from_future":
                assert age < -7 * DAY
        assert (delivery.bad is not None) == (delivery.kind == "bad")


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, account=st.text(min_size=1, max_size=8))
def test_states_only_move_along_legal_transitions(seed, account):
    path = StatePath(seed, account)

    assert path.state_on(0) in INITIAL
    for day in range(1, 200):
        before, after = path.state_on(day - 1), path.state_on(day)
        assert after is before or after in TRANSITIONS[before]
        assert path.entered(day) == (after is not before)
        if (leaves := path.churns(day, 14)) is not None:
            assert path.state_on(leaves) is CustomerState.CHURNED
            assert path.state_on(leaves - 1) is not CustomerState.CHURNED


def test_the_rates_are_honoured(quarter):
    _, deliveries = quarter
    kinds = Counter(d.kind for d in deliveries)
    usage = sum(isinstance(d.event, UsageEvent) and d.kind in ("clean", "late") for d in deliveries)
    counted = kinds["clean"] + kinds["late"]
    rates = Disorder()

    assert kinds["late"] / counted == pytest.approx(rates.late, rel=0.2)
    assert kinds["duplicate"] / counted == pytest.approx(rates.duplicate, rel=0.2)
    assert kinds["bad"] / usage == pytest.approx(rates.bad, rel=0.35)
    assert kinds["too_late"] / usage == pytest.approx(rates.too_late, rel=0.5)
    assert kinds["from_future"] / usage == pytest.approx(rates.from_future, rel=0.6)


def test_no_rates_plant_nothing():
    company = SimulatedCompany(3, 20, START, Disorder(0, 0, 0, 0, 0))

    assert {d.kind for d in taken(company, 20)} == {"clean"}


def test_the_worse_the_state_the_less_the_use(quarter):
    company, deliveries = quarter
    seats = {account.account_id: account.seats for account in company.accounts}
    events, seat_days = Counter(), Counter()
    for delivery in deliveries:
        if isinstance(delivery.event, UsageEvent) and delivery.kind in ("clean", "late"):
            day = (delivery.event.occurred_at - START) // DAY
            events[company.state(delivery.event.account_id, day)] += 1
    for account, bought in seats.items():
        for day in range(90):
            seat_days[company.state(account, day)] += bought
    rate = {state: events[state] / seat_days[state] for state in CustomerState}

    order = [
        CustomerState.CHURNED,
        CustomerState.AT_RISK,
        CustomerState.DRIFTING,
        CustomerState.HEALTHY,
        CustomerState.EXPANDING,
    ]
    assert [rate[state] for state in order] == sorted(rate[state] for state in order)
    assert rate[CustomerState.AT_RISK] < 0.35 * rate[CustomerState.HEALTHY]


def test_weekends_and_nights_are_quiet():
    company = SimulatedCompany(5, 80, START, Disorder(0, 0, 0, 0, 0))
    days = Counter((d.at // DAY + 3) % 7 for d in taken(company, 28) if isinstance(d.event, UsageEvent))

    assert days[5] + days[6] < 0.3 * days[1]


def test_who_leaves_is_canceled_and_nobody_else(quarter):
    company, deliveries = quarter
    canceled = {
        d.event.account_id
        for d in deliveries
        if isinstance(d.event, BillingEvent) and d.event.kind == "subscription_canceled"
    }
    churned = {
        a.account_id for a in company.accounts if company.state(a.account_id, 85) is CustomerState.CHURNED
    }

    assert churned <= canceled
    assert all(company.state(account, 89) is CustomerState.CHURNED for account in canceled)


def test_a_ticket_s_life_is_told_in_order(quarter):
    _, deliveries = quarter
    lives = {}
    for delivery in deliveries:
        if isinstance(delivery.event, SupportEvent) and delivery.kind != "duplicate":
            lives.setdefault(delivery.event.ticket_id, []).append(delivery.event)
    for life in lives.values():
        life.sort(key=lambda event: event.occurred_at)

        assert life[0].kind == "opened"
        assert len({event.severity for event in life}) == 1


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, disorder=DISORDERS)
def test_the_truth_agrees_with_the_deliveries(seed, disorder, tmp_path_factory):
    path = Path(tmp_path_factory.mktemp("truth")) / "truth.jsonl"
    company = SimulatedCompany(seed, 4, START, disorder)
    deliveries = taken(company, 8)
    truth = Truth(path.open("wb"))
    truth.write_accounts(company, 0)
    truth.count(deliveries)
    truth.write_days(company, START + 8 * DAY)
    truth.close(seed=seed)
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    kinds = Counter(line["type"] for line in lines)
    summary = lines[-1]

    assert kinds == {"account": 4, "day": 32, "summary": 1}
    assert summary["delivered"] == len(deliveries)
    assert summary["applied"] == sum(summary["per_account"].values())
    assert (
        summary["delivered"]
        == summary["applied"]
        + summary["duplicates"]
        + sum(summary["bad"].values())
        + summary["too_late"]
        + summary["from_future"]
    )
    assert summary["by_topic"] == Counter(topic_of(d.event) for d in deliveries)
    for line in lines:
        if line["type"] == "day":
            assert line["state"] == company.state(line["account"], line["day"] - START // DAY)
            assert ("previous" in line) == (line.get("previous", line["state"]) != line["state"])


def test_without_a_file_the_truth_only_counts():
    truth = Truth()
    truth.write_days(SimulatedCompany(1, 2, START), START + DAY)
    truth.close()

    assert truth.summary(seed=1)["delivered"] == 0


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, events=st.integers(0, 3_000), disorder=DISORDERS)
def test_load_is_exactly_as_large_as_asked_for(seed, events, disorder):
    deliveries = list(plain_load(seed, 50, events, START, disorder))

    assert len(deliveries) == events
    assert deliveries == list(plain_load(seed, 50, events, START, disorder))
    fresh = [d for d in deliveries if d.kind != "duplicate"]
    assert len({d.event.event_id for d in fresh}) == len(fresh)
    assert {d.event.event_id for d in deliveries} == {d.event.event_id for d in fresh}


@settings(deadline=None)
@given(counts=st.tuples(st.integers(1, 20), st.integers(1, 20)), seed=SEEDS)
def test_more_accounts_keep_the_first_ones(counts, seed):
    few, many = sorted(counts)

    assert make_accounts(seed, many)[:few] == make_accounts(seed, few)


def test_account_ids_are_unique_past_the_end_of_the_names():
    assert len({account.account_id for account in make_accounts(1, 8_000)}) == 8_000


@given(now=st.integers(0, 10**13), ahead=st.integers(0, 10**9), limit=st.integers(1, 10**8))
def test_a_step_stays_within_its_limit_its_day_and_its_target(now, ahead, limit):
    step = next_step(now, now + ahead, limit)

    assert now <= step <= now + min(ahead, limit)
    assert step == now or (step - 1) // DAY == now // DAY
    assert step > now or ahead == 0


def test_a_step_never_goes_back():
    assert next_step(1_000, 500, 100) == 1_000


@given(speed=st.floats(1, 10**6), seconds=st.integers(0, 10**6))
def test_the_pace_never_passes_the_wall_clock(speed, seconds):
    wall = 10**12
    pace = Pace(wall - 90 * DAY, wall, speed)

    assert pace.at(wall + seconds * 1000) <= wall + seconds * 1000
    assert pace.at(wall) == wall - 90 * DAY


def test_a_pace_that_begins_ahead_of_the_wall_clock_is_free():
    assert Pace(2_000_000, 1_000_000, 10).at(1_001_000) == 2_010_000


def test_a_step_is_a_quarter_of_what_the_journal_tolerates():
    assert step_limit(60) == 900_000
    assert step_limit(0) == 1_000


def test_a_feed_hands_out_everything_once():
    company = SimulatedCompany(2, 5, START)
    feed = DeliveryReader(company.deliveries())
    parts = [d for hours in range(1, 73) for d in feed.until(START + hours * DAY // 24)]

    assert parts == taken(SimulatedCompany(2, 5, START), 3)
    assert feed.until(START) == []


def test_a_feed_can_begin_later():
    feed = DeliveryReader(SimulatedCompany(2, 5, START).deliveries())
    skipped = feed.skip(START + DAY)

    assert feed.until(START + 2 * DAY) == taken(SimulatedCompany(2, 5, START), 2)[skipped:]


def test_a_share_outside_one_is_refused():
    with pytest.raises(ValueError, match="late is 2: give a share from 0 to 1"):
        Disorder(late=2)


def test_truth_lines_are_written_as_they_come():
    out = io.BytesIO()
    truth = Truth(out)
    truth.write_accounts(SimulatedCompany(1, 2, START), 0)

    assert out.getvalue().count(b"\n") == 2
