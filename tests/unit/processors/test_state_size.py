"""A state of any shape that the doors let in fits in a record, and its bounds forget the oldest first."""

from __future__ import annotations

from typing import Any

import pytest

from processors.intake.admission import MAX_TEXT
from processors.observe import bound
from processors.observe.bounds import MAX_TEXTS
from processors.state.account import (
    Aim,
    Invoice,
    Link,
    OverrideValue,
    Person,
    Retraction,
    State,
    Subscription,
    Ticket,
    arrange,
)
from processors.state.encoding import decode_state, encode_state
from schemas.times import DAY
from schemas.topics import MAX_RECORD_BYTES

NOW = 20_000 * DAY
LARGEST = 2**62


def text(number: int, size: int = MAX_TEXT) -> str:
    """A text of so many characters that take four bytes each."""
    return f"{number:06}".ljust(size, "\U0001f6df")


def at(number: int) -> tuple[int, int]:
    return NOW + number, LARGEST


def flooded(size: int = MAX_TEXT) -> State:
    """A state in which every part is beyond its bounds."""
    state = State(tenant="t", account_id="a")
    state.usage.users = {n + 2**31: LARGEST for n in range(21_000)}
    state.usage.features = {text(n, size): 20_000 for n in range(600)}
    state.tickets = {
        text(n, size): Ticket(
            NOW, NOW + n, at(n), True, at(n), "urgent", LARGEST, NOW, NOW, NOW, at(n), 5, False, LARGEST, NOW
        )
        for n in range(2_500)
    }
    state.surveys = {f"{text(n, size)}\n{text(n, size)}": (at(n), "nps", 10) for n in range(2_500)}
    state.asked = {n + 2**31: NOW + n for n in range(2_500)}
    state.moments = {f"praise_received\n{text(n, size)}": [NOW + n] * 32 for n in range(70)}
    state.aims = {
        f"goal\n{text(n, size)}": Aim(NOW + n, at(n), NOW, at(n), LARGEST, text(n, size), NOW)
        for n in range(300)
    }
    state.people = {n + 2**31: Person(at(n), "champion", NOW, NOW) for n in range(600)}
    state.retracted = {
        f"ticket\n{text(n, size)}": Retraction(NOW + n, NOW, [text(n, size)] * 3) for n in range(1_200)
    }
    state.overrides = {
        text(n, size): OverrideValue(at(n), 1.5, text(n, size), text(n, size), NOW) for n in range(300)
    }
    state.link = Link("b", at(1), 1, {text(n, size): (text(n, size), at(n)) for n in range(700)})
    state.billing.invoices = {
        text(n, size): Invoice(NOW + n, at(n), "paid", LARGEST, LARGEST, text(n, size), NOW, at(n), True)
        for n in range(1_200)
    }
    state.billing.subscriptions = {
        text(n, size): Subscription(
            at(n), "canceling", NOW, dict.fromkeys(("plan", "seats", "mrr", "renews"), at(n)), text(n, size),
            LARGEST, LARGEST, text(n, size), NOW, at(n), 0.5, NOW,
            {day: (at(n), LARGEST) for day in range(200)}, NOW,
        )
        for n in range(300)
    }  # fmt: skip
    state.profile = {f"field{n}": (at(n), text(n, size)) for n in range(30)}
    return state


@pytest.mark.parametrize("size", [MAX_TEXT, 300, 40, 6])
def test_the_largest_state_fits_in_a_record(size: int) -> None:
    state = flooded(size)
    bound(state)
    raw = encode_state(state)
    assert len(raw) < MAX_RECORD_BYTES - 100_000
    assert decode_state(raw) == state
    assert not bound(state)
    assert encode_state(state) == raw


def test_ids_of_usual_length_are_bounded_by_their_number_alone() -> None:
    state = flooded(36)
    state.retracted, state.overrides, state.link = {}, {}, Link()
    bound(state)
    assert len(state.tickets) == 2_000
    assert len(state.surveys) == 2_000


def test_of_long_texts_the_newest_stay() -> None:
    state = State(tickets={text(n): Ticket(NOW, NOW + n) for n in range(1_000)}, people={1: Person()})
    state.surveys = {text(n, 20): (at(n), "nps", 1) for n in range(100)}
    assert bound(state)
    assert sum(map(len, state.tickets)) <= MAX_TEXTS
    assert sorted(state.tickets) == [text(n) for n in range(1_000 - len(state.tickets), 1_000)]
    assert (len(state.surveys), len(state.people)) == (100, 1)


def test_one_entry_with_endless_text_is_forgotten() -> None:
    state = State(retracted={"ticket\na": Retraction(NOW, NOW, [text(n) for n in range(1_000)])})
    assert bound(state)
    assert not state.retracted


def test_what_is_kept_does_not_depend_on_the_order_of_the_dicts() -> None:
    ours, other = flooded(), flooded()
    for name in ("tickets", "surveys", "retracted", "overrides"):
        setattr(other, name, dict(reversed(getattr(other, name).items())))
    for state in (ours, other):
        bound(state)
        arrange(state)
    assert encode_state(ours) == encode_state(other)


def test_few_entries_are_never_too_long() -> None:
    """The test of length is passed over for a state of few entries, so they must fit by themselves."""
    state, full = State(), flooded()
    for name in ("surveys", "retracted", "overrides"):
        kept: Any = dict(list(getattr(full, name).items())[-64:])
        one = State(**{name: kept})
        assert len(encode_state(one)) < MAX_RECORD_BYTES / 2
    assert not bound(state)
