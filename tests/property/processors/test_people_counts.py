"""The counts of people from one compiled pass are those of the people's days, counted one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.state.activity import active_days, last_day, with_day
from processors.state.people_counts import count_people

TODAY = 20_000


@st.composite
def activities(draw: st.DrawFn) -> list[int]:
    """Activities of people, as one day after the other makes them; some days are still to come."""
    people = []
    for days in draw(
        st.lists(st.lists(st.integers(TODAY - 90, TODAY + 1), min_size=1, max_size=40), max_size=30)
    ):
        activity = None
        for day in days:
            activity = with_day(activity, day)
        assert activity is not None
        people.append(activity)
    return people


@given(activities())
def test_counts_are_those_of_the_days(people: list[int]) -> None:
    found = count_people(people, TODAY)
    days = [active_days(activity) for activity in people]
    last = [last_day(activity) for activity in people]
    regular = [len(each) >= 4 for each in days]
    assert found.seen == len(people)
    assert found.month == sum(TODAY - day < 28 for day in last)
    assert found.regulars == sum(regular)
    assert found.regulars_gone == sum(r and day <= TODAY - 14 for r, day in zip(regular, last, strict=True))
    most = max(map(len, days), default=0)
    assert found.most_days == most
    assert found.most_last == max(
        (d for d, each in zip(last, days, strict=True) if len(each) == most), default=0
    )
    ahead = [day > TODAY for day in last]  # a clock ahead of ours: the last day counts as today
    before = [
        sum(1 <= (day_of_last if early else TODAY) - day <= 28 for day in each)
        for each, day_of_last, early in zip(days, last, ahead, strict=True)
    ]
    assert found.month_days == sum(before)
