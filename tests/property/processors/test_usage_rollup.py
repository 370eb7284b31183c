"""UsageRollup that is rolled up as it comes holds what its events say, however it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.columnar_admission import USAGE
from processors.intake.usage_rollup import UsageRollup
from schemas.columnar.usage_decoder import DURATION, ERROR, LATENCY
from schemas.times import DAY

DAY_0 = 20_000 * DAY

events = st.lists(
    st.tuples(
        st.integers(0, 3),  # account
        st.integers(0, 3 * DAY),
        st.integers(0, 50),
        st.integers(0, 9),
        st.integers(-1, 6) | st.sampled_from((2**32 - 1, 2**31)),
        st.integers(-1, 3),
        st.sampled_from((0, ERROR, DURATION, LATENCY, ERROR | DURATION | LATENCY)),
    ),
    max_size=40,
)


def rows(given_: list[tuple[int, ...]], usage: UsageRollup) -> Any:
    """The events as the journal holds them, their accounts and features named in the order they come."""
    out = np.zeros(len(given_), USAGE)
    for row, (account, at, received, number, user, feature, flags) in zip(out, given_, strict=True):
        row["occurred_at"], row["received_at"] = DAY_0 + at, DAY_0 + at + received
        row["duration_ms"] = number if flags & DURATION else 0
        row["latency_ms"] = number if flags & LATENCY else 0
        row["user"], row["flags"] = user, flags
        row["account"] = usage.names.account(("acme", f"a{account}"))
        row["feature"] = -1 if feature < 0 else usage.names.feature(f"f{feature}")
    return out


def rolled(*parts: list[tuple[int, ...]]) -> UsageRollup:
    usage = UsageRollup()
    for part in parts:
        usage.add(rows(part, usage))
    return usage


def content(usage: UsageRollup) -> tuple[dict[tuple[Any, int], Any], int]:
    """Every cell by its account and day: its sums, times, users, features."""
    found: dict[tuple[Any, int], Any] = {}
    cells = usage.rolled_up()
    user = feature = 0
    for cell in cells.cells:
        key = cells.accounts[cell["account"]], int(cell["day"])
        assert key not in found
        found[key] = (
            [int(cell[name]) for name in USAGE_SUMS],
            [int(cell[name]) for name in ("first_at", "last_at", "received_at")],
            cells.users[user : cell["users_end"]].tolist(),
            [cells.features[number] for number in cells.named[feature : cell["features_end"]]],
        )
        user, feature = cell["users_end"], cell["features_end"]
    assert list(found) == sorted(found)
    return found, usage.events


USAGE_SUMS = ("events", "errors", "duration_ms", "latency_ms", "latencies")


def merged(one: Any, other: Any) -> Any:
    (first, last, received), (first_, last_, received_) = one[1], other[1]
    return (
        [a + b for a, b in zip(one[0], other[0], strict=True)],
        [min(first, first_), max(last, last_), min(received, received_)],
        sorted({*one[2], *other[2]}),
        sorted({*one[3], *other[3]}),
    )


def together(*usages: UsageRollup) -> dict[tuple[Any, int], Any]:
    """What a worker makes of several batches."""
    found: dict[tuple[Any, int], Any] = {}
    for usage in usages:
        for key, one in content(usage)[0].items():
            found[key] = merged(one, found[key]) if key in found else one
    return found


@given(events, events, events)
def test_parts_hold_what_they_hold_together(one: Any, two: Any, three: Any) -> None:
    found = content(rolled([*one, *two, *three]))
    assert content(rolled(one, two, three)) == found
    assert content(rolled(three, one, two)) == found


@given(events, st.integers(0, 12))
def test_parted_usage_holds_the_same(given_: Any, at: int) -> None:
    whole = rolled(given_)
    first, second = whole.split_at(min(at, len(whole.cells)))
    assert len(first.cells) == min(at, len(whole.cells))
    assert together(first, second) == content(whole)[0]
    assert first.events + second.events == len(given_)


@given(events)
def test_a_cell_is_divided_down_to_one_user_or_feature(given_: Any) -> None:
    whole = rolled([(0, at % DAY, *rest) for _, at, *rest in given_])
    pieces, waiting = [], [whole]
    while waiting:
        usage = waiting.pop()
        if len(usage.users) + len(usage.named) < 2:
            with pytest.raises(ValueError, match="too large"):
                usage.halved()
            pieces.append(usage)
        else:
            waiting += usage.halved()
    assert together(*pieces) == content(whole)[0]
    assert sum(piece.events for piece in pieces) == len(given_)


def test_what_is_held_grows_with_accounts_and_not_with_events() -> None:
    few: list[tuple[int, ...]] = [(account, 0, 0, 0, user, 0, 0) for account in range(4) for user in range(5)]
    many = few * 500
    assert rolled(few).nbytes == rolled(*[many] * 3).nbytes
