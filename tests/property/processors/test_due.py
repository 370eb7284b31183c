"""Time alone changes no measure before the account is due, nor before midnight, when the rings turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.fold.due import next_due
from processors.measures import MEASURES, MeasureValue
from processors.model.file.own import OwnSpec
from processors.model.plan.own import own_measures
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.view import View
from schemas.times import DAY
from tests.support.generators import NOW, OWN, batchings, histories
from tests.support.reference_fold import reference_fold

OWN_MEASURES = own_measures({name: OwnSpec.model_validate(spec) for name, spec in OWN.items()})


def facts(state: State, now: int) -> dict[str, MeasureValue]:
    view = View(state, now)
    return {name: measured(view) for name, measured in (MEASURES | OWN_MEASURES).items()}


@given(st.data())
def test_nothing_changes_before_it_is_due(data: st.DataObject) -> None:
    states, _ = reference_fold(data.draw(batchings(data.draw(histories()))))
    for raw in states.values():
        state = decode_state(raw)
        now = NOW + data.draw(st.integers(0, 40 * DAY))
        midnight = (now // DAY + 1) * DAY
        due = next_due(state, now)
        assert due is None or now < due <= midnight + DAY // 24
        end = midnight if due is None else min(due, midnight)
        known = facts(state, now)
        for then in (end - 1, data.draw(st.integers(now, end - 1))):
            later = facts(state, then)
            assert known == later
        if due is None:
            assert facts(state, now + 1_000 * DAY) == known
