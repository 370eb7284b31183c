"""What an operator is shown of storms and silent sources, and how a storm is named."""

from __future__ import annotations

import pytest

from bellbuoy.operations.acts.storms import Incident, NoSuchStormError, find_storm, incidents_of
from schemas.times import MINUTE
from tests.support.owner_alerts import NOON, risk_alert
from tests.unit.processors.test_storms import company, drop


def incident(alert_id: str, *, storm: bool = True) -> Incident:
    alert = risk_alert(alert_id=alert_id, subject="churn_risk health")
    return Incident(alert, NOON, NOON + 15 * MINUTE if storm else None, 3 if storm else 0)


def test_a_storm_is_shown_with_what_it_holds_and_when_it_ends() -> None:
    owners = company(40)
    [page] = drop(owners, 40, MINUTE)

    [storm] = incidents_of("acme", owners.partition.folded.owner_rows, 15 * MINUTE)
    assert storm.alert == page.alerts[0]
    assert (storm.held, storm.last_at, storm.ends_at) == (40, NOON + 59_000, NOON + 59_000 + 15 * MINUTE)
    assert incidents_of("other", owners.partition.folded.owner_rows, 0) == []


def test_a_storm_is_named_by_the_beginning_of_its_id() -> None:
    there = [incident("ab1"), incident("ab2"), incident("cd1", storm=False)]

    assert find_storm(there, "ab2") is there[1]
    with pytest.raises(NoSuchStormError, match=r"2 storms begin with 'ab': ab1 .*; ab2 .*; give more"):
        find_storm(there, "ab")
    with pytest.raises(NoSuchStormError, match="'cd' is a silent source"):
        find_storm(there, "cd")
    with pytest.raises(NoSuchStormError, match="no open storm begins with 'x': there is ab1"):
        find_storm(there, "x")
    with pytest.raises(NoSuchStormError, match="none is open"):
        find_storm([], "x")
