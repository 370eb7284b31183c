"""Whatever comes before, with or after a deletion: what is known is what occurred after it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.observe.deletion import is_erased, keep_later
from processors.state.account import DECIDED, State, Subscription
from processors.state.encoding import decode_state, encode_state
from schemas.identity.keys import account_key
from schemas.records import AccountLink, JournalBatch, UsageEvent
from schemas.times import DAY
from tests.support.generators import NOW, batch, batchings, histories
from tests.support.known_state import knowledge
from tests.support.reference_fold import reference_fold
from tests.unit.processors.test_state_fields import filled

AT = NOW - 20 * DAY
KEY = account_key("acme", "a")


def deletion(at: int, name: str = "d") -> AccountLink:
    return AccountLink(
        event_id=name,
        tenant="acme",
        account_id="a",
        source="test",
        occurred_at=at,
        received_at=NOW,
        deleted=True,
    )


def is_later(event: Any) -> bool:
    """Usage is kept by the day."""
    if isinstance(event, UsageEvent):
        return bool(event.occurred_at // DAY > AT // DAY)
    return bool(event.occurred_at > AT)


def of_a(happened: list[Any]) -> list[Any]:
    return [replace(event, account_id="a") for event in happened]


def state_after(batches: list[JournalBatch]) -> State:
    states, _ = reference_fold(batches)
    return decode_state(states[KEY])


def split(data: st.DataObject, events: list[Any]) -> tuple[list[Any], list[Any]]:
    chosen = [data.draw(st.booleans()) for _ in events]
    pairs = list(zip(events, chosen, strict=True))
    return [event for event, first in pairs if first], [event for event, first in pairs if not first]


@given(st.data())
def test_any_order_of_what_occurred_before_and_the_deletion_is_one(data: st.DataObject) -> None:
    """What occurred later comes in the batch of the deletion or after it."""
    happened = of_a(data.draw(histories()))
    later = [event for event in happened if is_later(event)]
    early, late = split(data, [event for event in happened if not is_later(event)])
    others, others_late = split(data, [deletion(AT - DAY, "e"), deletion(AT, "f")])
    together, after = split(data, later)
    batches = [
        *data.draw(batchings([*early, *others])),
        batch(0, NOW, [*together, deletion(AT)]),
        *data.draw(batchings([*late, *after, *others_late])),
    ]
    deleted = state_after([replace(each, sequence=number) for number, each in enumerate(batches)])

    assert (deleted.deleted_at, deleted.applied) == (AT, len(happened) + 3)
    if later:
        alone = state_after(data.draw(batchings(later)))
        deleted.applied -= deleted.link.count
        assert knowledge_of(deleted) == knowledge_of(alone)
    else:
        assert is_erased(deleted)
        assert knowledge_of(deleted) == knowledge_of(
            State(tenant="acme", account_id="a", applied=deleted.applied)
        )


def knowledge_of(state: State) -> bytes:
    """What is known, without what tells of the deletion."""
    state.deleted_at = -1
    state.link = State().link
    return knowledge(encode_state(state))


def test_of_evidence_from_before_nothing_is_kept() -> None:
    """Also not of a field that is new."""
    state = filled(State)
    assert not keep_later(state, 90 * DAY)
    blank = State()
    for name in State.__struct_fields__:
        if name not in {"tenant", "account_id", "applied", "link", *DECIDED}:
            assert getattr(state, name) == getattr(blank, name)


@given(st.data())
def test_of_evidence_from_after_all_is_kept(data: st.DataObject) -> None:
    later = [one for one in of_a(data.draw(histories())) if one.occurred_at // DAY > AT // DAY]
    if later:
        state = state_after(data.draw(batchings(later)))
        subscriptions = state.billing.subscriptions  # of one that only has an id nobody knows a time
        state.billing.subscriptions = {
            key: one for key, one in subscriptions.items() if one != Subscription()
        }
        whole = knowledge_of(state)
        keep_later(state, AT)
        assert knowledge_of(state) == whole
