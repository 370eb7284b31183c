"""The policy file: every fault with its line and fix, and what its keys come to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from processors.owners.policy import (
    DEFAULT_POLICY,
    Policy,
    PolicyError,
    check_policy,
    load_policy,
    policy_json_schema,
)
from schemas.times import HOUR, MINUTE

FAULTY = """\
policy: Team One
version: 0
everybody:
  zone: Europe/Lisbonn
  hours: 17:00-09:00
  digest_at: 25:00
  days: [mon, tues]
  budget: -1
people:
  Ines:
    nickname: I
    away:
      - {from: 2027-07-19, until: 2027-07-05, substitute: Ines}
  Jon:
    away: [{from: tomorrow, until: 2027-07-05}]
digest: {alerts: many}
escalation:
  critical: [{after: 4h, to: Kim}, {after: 4h, to: Vera}]
  warning: [{after: 0, to: Kim}]
storms: {share: 2, wait: 5 s}
maintenance: [{from: 2027-07-05, until: 2027-07-05}]
routes: {}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: {Ines: {}, ines: {}}", "people.ines: the same name as Ines but for its capitals"),
        ("people: {Ines: {manager: Ines}}", "people.Ines.manager: Ines is the manager of Ines"),
        ("people: {' Ines': {}}", "' Ines' is no name; write it as accounts have it"),
        ("people: {Ines: {email: a@b.de}}", "people.Ines.email: no such key; use one of away, budget"),
        ("escalation: {critical: [{after: 4h, to: Manager}]}", "nobody is called Manager; write manager"),
    ],
)
def test_a_name_that_reaches_nobody_is_a_fault(text: str, said: str) -> None:
    assert said in "\n".join(map(str, check_policy(f"policy: p\nversion: 1\n{text}\n").faults))


def test_every_fault_at_once_with_its_line_and_fix() -> None:
    faults = check_policy(FAULTY).faults
    assert [(fault.line, fault.where) for fault in faults] == [
        (1, "policy"),
        (2, "version"),
        (4, "everybody.zone"),
        (5, "everybody.hours"),
        (6, "everybody.digest_at"),
        (7, "everybody.days.1"),
        (8, "everybody.budget"),
        (11, "people.Ines.nickname"),
        (13, "people.Ines.away.0.until"),
        (13, "people.Ines.away.0.substitute"),
        (15, "people.Jon.away.0.from"),
        (16, "digest.alerts"),
        (18, "escalation.critical.1.after"),
        (19, "escalation.warning.0"),
        (20, "storms.share"),
        (20, "storms.wait"),
        (21, "maintenance.0.until"),
        (22, "routes"),
    ]
    by_key = {fault.where: fault for fault in faults}
    assert "Europe/Lisbon" in by_key["everybody.zone"].fix
    assert by_key["routes"].fix == "leave it out: channels have settings of their own"
    assert all(fault.message and fault.fix for fault in faults)
    with pytest.raises(PolicyError, match=r"(?s)13:\d+: people\.Ines\.away\.0\.until.*22:1: routes"):
        load_policy(FAULTY)


@pytest.mark.parametrize(
    "text",
    ["", "- a", "a: b: c", "\tpolicy: x", "policy: x", "policy: [", "policy: x\nversion: 1\n---\na: 1"],
)
def test_what_is_no_policy_is_refused_with_a_place(text: str) -> None:
    checked = check_policy(text)
    assert checked.policy is None
    assert all(fault.line >= 1 and fault.fix for fault in checked.faults)


def test_a_person_has_what_everybody_has_unless_it_says_otherwise() -> None:
    policy = load_policy(
        """
policy: team
version: 3
everybody: {zone: America/New_York, hours: "9:00-17:00", days: [mon, fri], budget: 3, manager: Kim}
people:
  Ines: {zone: Europe/Lisbon, digest_at: 07:30, away: [{from: 2027-07-05, until: "2027-07-06T12:00Z"}]}
  Jon: {days: [sun], budget: 0}
maintenance: [{from: 2027-01-01, until: 2027-01-02T06:00}]
"""
    )
    ines, jon, other = map(policy.person, ("Ines", "Jon", "Somebody"))
    assert (ines.hours.zone, ines.hours.begins, ines.budget, ines.digest_at, ines.manager) == (
        "Europe/Lisbon", 540, 3, 450, "Kim",
    )  # fmt: skip
    assert (jon.hours.zone, jon.hours.days, jon.budget) == ("America/New_York", {6}, 0)
    assert (other.name, other.budget, other.digest_at) == ("Somebody", 3, 480)
    [away] = ines.away
    assert (away.begins, away.ends) == (_utc(2027, 7, 4, 23), _utc(2027, 7, 6, 12))  # Lisbon's summer
    [window] = policy.maintenance
    assert (window.begins, window.ends) == (_utc(2027, 1, 1, 5), _utc(2027, 1, 2, 11))
    assert policy.version.startswith("3-")
    assert load_policy(policy.text) == policy  # what the journal keeps is the same policy


def test_the_default_suits_the_first_day() -> None:
    assert isinstance(DEFAULT_POLICY, Policy)
    anybody = DEFAULT_POLICY.person("Somebody new")
    assert anybody.hours.open_at(0)  # no hours are known, so nothing waits for them
    assert DEFAULT_POLICY.digest_only == {"notice"}
    assert DEFAULT_POLICY.late_after == 6 * HOUR
    assert (DEFAULT_POLICY.storms.accounts, DEFAULT_POLICY.storms.within) == (20, 10 * MINUTE)
    assert load_policy(DEFAULT_POLICY.text) == DEFAULT_POLICY


def test_the_schema_knows_every_key_of_the_default() -> None:
    properties = policy_json_schema()["properties"]
    assert {"policy", "version", "everybody", "people", "fallback", "storms"} <= properties.keys()
    assert all("description" in one for one in properties.values())


def _utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)
