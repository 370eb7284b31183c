"""What was taken back leaves the state as if it had never been said, in whatever order all of it comes."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.measures import MEASURES, MeasureValue
from processors.state.encoding import decode_state
from processors.view import View
from schemas.records import BillingEvent, EngagementEvent, SupportEvent, SurveyResponse
from tests.support.generators import NOW, batchings, histories, times
from tests.support.known_state import knowledge
from tests.support.reference_fold import reference_fold

ABOUT = {"tenant": "acme", "account_id": "a", "source": "test", "received_at": NOW}


def known(data: st.DataObject, happened: list[Any]) -> bytes | None:
    """What is known of the account after these events, in an order and batches of Hypothesis's choice."""
    states, _ = reference_fold(data.draw(batchings(happened)))
    return knowledge(states[b"acme:a"], retracted=False) if b"acme:a" in states else None


def nothing_or(raw: bytes | None) -> bytes | None:
    """Return ``None`` also for a state that knows nothing, as one that only heard what was taken back."""
    if raw is None:
        return None
    state = decode_state(raw)
    blank = type(state)(tenant=state.tenant, account_id=state.account_id)
    return None if state == blank else raw


def same(data: st.DataObject, said: list[Any], right_at_once: list[Any]) -> None:
    left, right = nothing_or(known(data, said)), nothing_or(known(data, right_at_once))
    assert left == right
    if left is not None:
        assert facts(left) == facts(right or b"")


def facts(raw: bytes) -> list[MeasureValue]:
    view = View(decode_state(raw), NOW)
    return [measured(view) for measured in MEASURES.values()]


def about(happened: list[Any], kind: type, field: str, key: str) -> list[Any]:
    """The events that are not about this thing of the account."""
    return [
        event
        for event in happened
        if not (isinstance(event, kind) and event.account_id == "a" and getattr(event, field) == key)
    ]


@given(st.data(), times)
def test_a_voided_invoice_was_never_issued(data: st.DataObject, at: int) -> None:
    happened = data.draw(histories())
    void = BillingEvent(**ABOUT, event_id="v", occurred_at=at, kind="invoice_voided", invoice_id="i")
    others = [
        event
        for event in happened
        if event in about(happened, BillingEvent, "invoice_id", "i")
        or not event.kind.startswith(("invoice_", "payment_", "dispute_"))
    ]
    same(data, [*happened, void], others)


@given(st.data(), times, st.sampled_from(("deleted", "merged")))
def test_a_deleted_ticket_was_never_opened(data: st.DataObject, at: int, kind: str) -> None:
    happened = data.draw(histories())
    # Where another ticket was merged into this one, that one's wait went with it.
    happened = [e for e in happened if not isinstance(e, SupportEvent) or e.kind != "merged"]
    gone = SupportEvent(**ABOUT, event_id="d", occurred_at=at, kind=kind, ticket_id="1")
    same(data, [*happened, gone], about(happened, SupportEvent, "ticket_id", "1"))


@given(st.data(), times)
def test_a_merged_ticket_was_the_other_from_the_start(data: st.DataObject, at: int) -> None:
    happened = [e for e in data.draw(histories()) if getattr(e, "kind", "") not in ("merged", "deleted")]
    alive = SupportEvent(**ABOUT, event_id="n", occurred_at=NOW, kind="replied", ticket_id="2")
    merged = SupportEvent(
        **ABOUT, event_id="m", occurred_at=at, kind="merged", ticket_id="1", merged_into="2"
    )
    others = about(happened, SupportEvent, "ticket_id", "1")
    first = min([e.occurred_at for e in happened if e not in others], default=at)
    waited = msgspec.structs.replace(alive, event_id="w", occurred_at=min(first, at))
    same(data, [*happened, alive, merged], [*others, alive, waited])


answers = st.none() | st.integers(0, 10)


def answer(number: int, at: int, score: int | None, **more: Any) -> SurveyResponse:
    about = ABOUT | {"event_id": f"s{number}", "survey_id": "edited", "kind": "nps", "user_id": "u"}
    return SurveyResponse(**about, occurred_at=at, score=score, **more)


@given(st.data(), times, st.lists(answers, min_size=1, max_size=4))
def test_an_edited_answer_was_right_at_once(data: st.DataObject, at: int, scores: list[int | None]) -> None:
    happened = data.draw(histories())
    said = [
        answer(number, at, score, **({"edited_at": at + number} if number else {}))
        for number, score in enumerate(scores)
    ]
    same(data, [*happened, *said], [*happened, answer(9, at, scores[-1])])


@given(st.data(), times, st.lists(answers, max_size=3), st.booleans())
def test_a_withdrawn_answer_was_never_given(
    data: st.DataObject, at: int, scores: list[int | None], keeps_time: bool
) -> None:
    happened = data.draw(histories())
    said = [
        answer(number, at, score, **({"edited_at": at + number} if number else {}))
        for number, score in enumerate(scores)
    ]
    later = at + len(scores)
    gone = (
        answer(9, at, None, step="withdrawn", edited_at=later)
        if keeps_time
        else answer(9, later, None, step="withdrawn")
    )
    same(data, [*happened, *said, gone], happened)
    again = answer(10, later + 1, 7)
    same(data, [*happened, *said, gone, again], [*happened, again])


@given(st.data(), times, st.lists(st.sampled_from(("goal_set", "goal_achieved")), max_size=3))
def test_a_withdrawn_goal_was_never_set(data: st.DataObject, at: int, kinds: list[str]) -> None:
    happened = [e for e in data.draw(histories()) if not isinstance(e, EngagementEvent)]
    goal = ABOUT | {"name": "fewer calls", "user_id": None}
    said = [
        EngagementEvent(**goal, event_id=f"g{n}", occurred_at=at - n, kind=kind, due_at=NOW, worth_minor=n)
        for n, kind in enumerate(kinds)
    ]
    gone = EngagementEvent(**goal, event_id="w", occurred_at=at, kind="goal_withdrawn")
    left, right = (
        decode_state(raw) if raw else None
        for raw in (known(data, [*happened, *said, gone]), known(data, happened))
    )
    assert (left.aims if left else {}) == (right.aims if right else {})
    again = EngagementEvent(**goal, event_id="a", occurred_at=at + 1, kind="goal_set", due_at=at)
    left, right = (
        decode_state(raw or b"")
        for raw in (known(data, [*happened, *said, gone, again]), known(data, [*happened, again]))
    )
    assert left.aims == right.aims
