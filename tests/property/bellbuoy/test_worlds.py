"""Worlds are deterministic: more days or accounts change nothing of what was, and cells are well formed."""

from __future__ import annotations

from array import array

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bellbuoy.simulator.world.usage import FEATURES
from bellbuoy.simulator.worlds.people import make_people
from bellbuoy.simulator.worlds.played import PlayedWorld, usage_events
from bellbuoy.simulator.worlds.world import WORLDS, World, load_world
from processors.intake.usage_rollup_rows import roll_up
from schemas.records import UsageCell
from schemas.times import DAY

worlds = st.sampled_from(WORLDS)
seeds = st.integers(0, 2**32)
few = settings(max_examples=12, deadline=None)


def played(world: World, days: int) -> list[bytes]:
    return [
        msgspec.msgpack.encode((day.number, day.at, day.cells, day.events))
        for day, _ in zip(world.days_of_events(), range(days), strict=False)
    ]


@given(worlds, seeds, st.integers(1, 60), st.integers(30, 90))
@few
def test_the_same_seed_gives_the_same_bytes_and_more_days_change_none(
    name: str, seed: int, days: int, more: int
) -> None:
    short = played(load_world(name, seed=seed, accounts=12, days=days), days)

    assert short == played(load_world(name, seed=seed, accounts=12, days=days), days)
    assert short == played(load_world(name, seed=seed, accounts=12, days=days + more), days)


@given(worlds, seeds)
@few
def test_more_accounts_change_nothing_of_the_first(name: str, seed: int) -> None:
    few_accounts = load_world(name, seed=seed, accounts=6, days=60)
    many = load_world(name, seed=seed, accounts=9, days=60)
    known = {customer.account_id for customer in few_accounts.customers}

    assert many.fates[:6] == few_accounts.fates
    for one, all_ in zip(few_accounts.days_of_events(), many.days_of_events(), strict=True):
        assert one.cells == [cell for cell in all_.cells if cell.account_id in known]
        assert one.events == [event for event in all_.events if event.account_id in known]


@given(worlds, seeds)
@few
def test_cells_are_as_the_journal_rolls_them_up(name: str, seed: int) -> None:
    world = load_world(name, seed=seed, accounts=15, days=120)
    ended = {fate.account_id: fate.churned_at for fate in world.fates}
    for day in world.days_of_events():
        seen = set()
        for cell in day.cells:
            _well_formed(cell)
            assert cell.last_at < day.at
            assert cell.last_at < (ended[cell.account_id] or day.at)
            seen.add((cell.account_id, cell.day))
        assert len(seen) <= len(day.cells)
        assert all(event.occurred_at < day.at for event in day.events)
        assert all(event.occurred_at <= (ended[event.account_id] or day.at) for event in day.events)
    assert len(set(_ids(world))) == len(_ids(world))


@given(worlds, seeds)
@few
def test_usage_taken_apart_rolls_up_to_the_same_cells(name: str, seed: int) -> None:
    world = load_world(name, seed=seed, accounts=15, days=70)
    people = [make_people(world.file, customer, seed) for customer in world.customers]
    ids = {user: name for one in people for user, name in zip(one.hashes.tolist(), one.ids, strict=True)}
    for day in world.days_of_events():
        for cell in day.cells:
            single = list(usage_events(cell, ids, "e"))
            assert roll_up(map(msgspec.structs.asdict, single)) == [cell]
            assert len({event.event_id for event in single}) == cell.events


@given(worlds, seeds)
@few
def test_a_world_is_played_in_the_order_of_time_with_every_event_once(name: str, seed: int) -> None:
    world = load_world(name, seed=seed, accounts=10, days=50)
    deliveries = list(PlayedWorld(world).deliveries())
    days = list(world.days_of_events())

    assert [d.at for d in deliveries] == sorted(d.at for d in deliveries)
    assert all(d.at >= d.event.occurred_at for d in deliveries)
    assert all((d.kind == "late") == (d.event.occurred_at // DAY < d.at // DAY) for d in deliveries)
    assert len({(type(d.event), d.event.event_id) for d in deliveries}) == len(deliveries)
    assert len(deliveries) == sum(sum(c.events for c in day.cells) + len(day.events) for day in days)


def _ids(world: World) -> list[tuple[str, str]]:
    return [(type(event).__name__, event.event_id) for day in world.days_of_events() for event in day.events]


def _well_formed(cell: UsageCell) -> None:
    users = array("I", cell.users)
    assert list(users) == sorted(set(users))
    assert cell.day * DAY <= cell.first_at <= cell.last_at < (cell.day + 1) * DAY
    assert 0 <= cell.errors <= cell.events
    assert 0 <= cell.latencies <= cell.events
    assert cell.features == sorted(set(cell.features) & set(FEATURES))
    assert min(cell.events, cell.duration_ms + 1, cell.latency_ms + 1) > 0
