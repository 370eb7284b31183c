"""The interval of empty journal batches."""

from __future__ import annotations

import pytest

from streams.pacing.idle import idle_interval
from streams.settings import JournalSettings


@pytest.mark.parametrize(
    ("since_events", "interval"), [(0, 1), (10, 1), (50, 5), (299, 29.9), (300, 30), (1e9, 30)]
)
def test_the_interval_is_a_tenth_of_the_time_without_events(since_events: float, interval: float) -> None:
    assert idle_interval(JournalSettings(), since_events) == pytest.approx(interval)


def test_the_longest_interval_holds_also_where_it_is_the_shorter_one() -> None:
    settings = JournalSettings(idle_seconds=5, most_idle_seconds=2)
    assert idle_interval(settings, 0) == 2


def test_an_idle_day_is_a_few_thousand_batches() -> None:
    settings = JournalSettings()
    now, batches = 0.0, 0
    while now < 86_400:
        now += idle_interval(settings, now)
        batches += 1
    assert batches < 3_000
