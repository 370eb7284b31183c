"""A forecast over a simulated company says of a quarter what really happened in it."""

from __future__ import annotations

import pytest

from bellbuoy.backtest.fold import journal_batch
from bellbuoy.operations.replay.forecast import RIGHT_DAYS, fold_forecast
from bellbuoy.simulator.worlds.world import load_world
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.rules import DEFAULT_RULES
from schemas.times import DAY

DAYS, QUARTER, ACCOUNTS = 240, 90, 24


@pytest.mark.timeout(600)
def test_a_quarter_is_forecast_as_it_was_lived_and_as_accounts_left() -> None:
    world = load_world("saas", seed=3, accounts=ACCOUNTS, days=DAYS)
    batches = [(day.number, journal_batch(day)) for day in world.days_of_events()]
    since = world.start + (DAYS - QUARTER - RIGHT_DAYS) * DAY
    found, lived = fold_forecast(iter(batches), DEFAULT_RULES, since), FoldedPartition(0, Shared())
    published = [alert for one in batches for outcome in lived.apply([one]) for _, alert in outcome.alerts]

    opened = [
        (alert.account_id, alert.rule, alert.opened_at)
        for alert in published
        if alert.change == "opened" and alert.opened_at >= since
    ]
    assert sorted(opened) == sorted((one.account_id, one.rule, one.opened_at) for one in found.alerts)
    truth = {(fate.tenant, fate.account_id): fate.churned_at for fate in world.fates}
    judged = [one for one in found.alerts if found.right(one) is not None]
    for one in judged:
        left = truth[one.tenant, one.account_id]
        assert found.right(one) == (left is not None and left <= one.opened_at + RIGHT_DAYS * DAY), one
    assert {found.right(one) for one in judged} == {True, False}
