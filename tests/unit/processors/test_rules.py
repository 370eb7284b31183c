"""Rule files: their faults, and what their conditions, waits and limits do."""

from __future__ import annotations

import pytest

from processors.fold.models_in_force import Models
from processors.fold.shared import Shared
from processors.model import DEFAULT
from processors.rules import DEFAULT_RULES, check_rules, default_rules_text, load_rules
from schemas.records import AccountProfile, BillingEvent, EngagementEvent, ModelChange, RiskAlert, UsageEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.account_story import AccountStory
from tests.support.recorded_partition import RecordedPartition

START = 20_000 * DAY
PULSE = """
ruleset: pulse
version: 1
own: {pulse: {kind: number}}
rules:
  low:
    title: The pulse is {own.pulse}
    action: Call
    when: own.pulse < 50.0
"""
FAULTY = """
ruleset: faulty
version: 1
rules:
  Bad name: {title: x, when: "true"}
  typo: {title: x, when: usage.gapp > 1.0}
  types: {title: "{usage.gap} {nobody}", when: account.plan > 4}
  both: {title: x, when: usage.gap > 1.0, tiers: [{severity: warning, when: usage.gap > 1.0}]}
  order:
    title: x
    tiers: [{severity: notice, when: usage.gap > 1.0}, {severity: critical, when: usage.gap > 2.0}]
  person: {title: x, when: person.left_days < 3}
  lane: {title: x, when: usage.gap > 1.0, lane: sales}
  waits: {title: x, when: usage.gap > 1.0, for: soon, cooldwn: 3d}
  band: {title: x, when: health.band == "red"}
  tells: {title: x, when: usage.gap > 1.0, tells: [usage.gapp]}
channels: {}
"""


class Pulse(AccountStory):
    """An account whose only measure is what somebody says, under rules of a test's own."""

    def __init__(self, rules: str = PULSE) -> None:
        super().__init__(START)
        self.partition = RecordedPartition(
            Shared(Models(DEFAULT, rules=load_rules(rules, default_rules_text())))
        )

    def say(self, pulse: float | None, after: int = HOUR) -> list[tuple[str, str]]:
        event = self.event(AccountProfile, own={"pulse": pulse}, at=self.now + after)
        return [(one.change, one.severity) for one in self.after(after, event)]

    def wait(self, span: int, step: int = HOUR) -> list[tuple[str, int]]:
        """Let time pass; return the changes, each with the hours since the beginning of the wait."""
        begun, seen = self.now, []
        while self.now < begun + span:
            seen += [(one.change, (self.now - begun) // HOUR) for one in self.after(step)]
        return seen


def test_every_fault_is_named_at_once_with_its_place_and_its_fix() -> None:
    faults = [str(fault) for fault in check_rules(FAULTY).faults]
    text = "\n".join(faults)
    for expected in (
        "5:3: rules.Bad name: 'Bad name' is not a name",
        "6:20: rules.typo.when: no such fact or measure: usage.gapp; did you mean usage.gap?",
        "account.plan > 4: text and a whole number can't be compared",
        "rules.both: when and tiers at once; write `when` for one severity",
        "rules.order: the tiers do not get milder; order them critical, warning, notice",
        "no such fact or measure: person.left_days",
        "rules.lane.lane: 'sales' is none of the choices; use churn_risk, billing",
        "rules.waits.for: 'soon' is no duration; write a number and s, m, h, d or w",
        "rules.waits.cooldwn: no such key; did you mean cooldown?",
        'it is never "red"',
        "rules.tells.tells.0: no such measure: usage.gapp; did you mean usage.gap?",
        "channels: no such key; leave it out: who is told where is a setting",
    ):
        assert expected in text, f"{expected}\n\n{text}"


def test_texts_and_told_measures_are_checked_as_well() -> None:
    rules = (
        PULSE.replace("The pulse is {own.pulse}", "'{nobody} and {account.plan:%}'")
        + "    tells: [usage.gapp]\n"
    )
    text = "\n".join(map(str, check_rules(rules).faults))
    assert "{nobody} stands for nothing" in text
    assert "{account.plan:%} is no number; write {account.plan}" in text
    for title in ("The pulse is {own.pulse", "The pulse is own.pulse}"):
        assert "without its other brace" in str(
            check_rules(PULSE.replace("The pulse is {own.pulse}", title)).faults
        )
    assert "{own.pulse:%%} stands for nothing" in str(
        check_rules(PULSE.replace("{own.pulse}", "{own.pulse:%%}")).faults
    )
    checked = check_rules(PULSE + "    tells: [usage.gapp]\n")
    assert "no such measure: usage.gapp; did you mean usage.gap?" in str(checked.faults[0])


def test_a_file_may_change_the_default_set_key_by_key() -> None:
    text = """
ruleset: mine
version: 1
extends: default
rules:
  voice: null
  quiet: {cooldown: 30d}
  payment: {when: billing.payment >= 2.0}
"""
    rules = load_rules(text, default_rules_text())
    assert rules.rules.keys() == DEFAULT_RULES.rules.keys() - {"voice"}
    assert (rules.rules["quiet"].cooldown, len(rules.rules["quiet"].tiers)) == (30 * DAY, 2)
    assert [tier.severity for tier in rules.rules["payment"].tiers] == ["warning"]
    assert load_rules(rules.text) == rules
    wrong = check_rules(text.replace("voice", "voise"), default_rules_text())
    assert "rules.voise: nothing to remove: the default set has no such rule; did you mean voice?" in str(
        wrong.faults[0]
    )


def test_the_default_text_is_the_same_set_again() -> None:
    again = load_rules(DEFAULT_RULES.text)
    assert (again, again.version) == (DEFAULT_RULES, DEFAULT_RULES.version)


def test_a_title_says_the_value_and_the_record_says_since_when() -> None:
    story = Pulse(PULSE + "    for: 2h\n    lane: support\n")
    story.say(80)
    assert story.say(30) == []
    began = story.now
    assert story.wait(3 * HOUR) == [("opened", 2)]
    [alert] = story.alerts
    assert (alert.title, alert.lane, alert.since, alert.action) == (
        "The pulse is 30",
        "support",
        began,
        "Call",
    )
    assert alert.rules_version.startswith("1-")


def test_a_condition_that_does_not_hold_on_opens_nothing() -> None:
    story = Pulse(PULSE + "    for: 6h\n")
    story.say(80)
    for _ in range(6):
        assert story.say(30, 2 * HOUR) == []
        assert story.say(80, 2 * HOUR) == []
    assert story.alerts == []


def test_a_day_of_48_and_52_is_one_alert() -> None:
    """
    An alert stays while its condition comes and goes.

        hour    0   1   2   ...  24   25 ... 27
        pulse   48  52  48       48   52
        alert   opened                       resolved
    """
    story = Pulse(PULSE + "    keep_firing: 3h\n")
    for number in range(24):
        story.say(48 if number % 2 == 0 else 52)
    assert [one.change for one in story.alerts] == ["opened"]
    assert story.wait(4 * HOUR) == [("resolved", 3)]
    assert story.alerts[-1].resolution == "recovered"


def test_two_edges_keep_an_alert_from_flapping() -> None:
    story = Pulse(PULSE + "    while: own.pulse < 60.0\n")
    assert story.say(48) == [("opened", "warning")]
    assert story.say(58) == []
    assert story.say(61) == [("resolved", "warning")]


def test_after_an_alert_ended_the_next_one_waits_for_its_cooldown() -> None:
    story = Pulse(PULSE + "    cooldown: 10h\n")
    story.say(30)
    story.say(80)
    assert story.say(30) == []
    assert story.wait(12 * HOUR) == [("opened", 9)]


def test_a_rule_opens_so_often_at_most() -> None:
    story = Pulse(PULSE + "    at_most: {alerts: 2, in: 24h}\n")
    changes = [story.say(30 if number % 2 == 0 else 80) for number in range(8)]
    assert [change for [(change, _)] in changes[:4]] == ["opened", "resolved", "opened", "resolved"]
    assert changes[4:] == [[], [], [], []]
    story.say(30)
    assert story.wait(24 * HOUR)[0][0] == "opened"


def test_of_rules_with_one_word_one_alert_is_open_at_a_time() -> None:
    both = PULSE + "    one_of: pulse\n  lower: {title: Lower, when: own.pulse < 40.0, one_of: pulse}\n"
    story = Pulse(both)
    story.say(30)
    assert [(one.rule, one.change) for one in story.alerts] == [("low", "opened")]
    story.say(80)
    story.say(45)
    story.say(35)
    assert [one.rule for one in story.alerts if one.change == "opened"] == ["low", "low"]


def test_an_alert_ends_when_it_can_not_be_judged_for_two_days() -> None:
    story = Pulse()
    story.say(30)
    assert story.say(None) == []
    assert story.wait(3 * DAY) == [("resolved", 48)]
    assert (story.alerts[-1].resolution, story.alerts[-1].title) == (
        "not_judged",
        "Not enough is known any more",
    )


def test_a_shadow_rule_is_only_counted() -> None:
    story = Pulse(PULSE + "    shadow: true\n")
    assert story.say(30) == [("opened", "warning")]
    assert story.alerts[0].shadow
    assert story.health.open_alerts == []


def test_a_rule_about_persons_opens_and_ends_for_each() -> None:
    """
    Two champions leave; one of them is named again.

        day      1         2         3
        event    a leaves  b leaves  a is named again
        alert    a opened  b opened  a resolved
    """
    story = AccountStory(START)
    named = [story.event(EngagementEvent, kind="champion_named", user_id=user) for user in "ab"]
    story.at(START, *named, story.event(UsageEvent, name="did", user_id="a"))
    seen: list[RiskAlert] = []
    for user in "ab":
        story.now += DAY
        seen += story.at(story.now, story.event(EngagementEvent, kind="champion_left", user_id=user))
    story.now += DAY
    seen += story.at(story.now, story.event(EngagementEvent, kind="champion_named", user_id="a"))
    told = [(one.change, one.subject) for one in seen if one.rule == "champion_left"]
    assert [change for change, _ in told] == ["opened", "opened", "resolved"]
    assert told[0][1] == told[2][1] != told[1][1]
    assert len({one.alert_id for one in seen if one.rule == "champion_left"}) == 2


def test_the_change_of_a_measure_over_days_is_asked() -> None:
    rules = PULSE.replace("when: own.pulse < 50.0", "when: change_7d.own.pulse < -20.0")
    story = Pulse(rules)
    for day in range(10):
        assert story.say(80 - day, DAY) == []
    assert story.say(50, DAY) == [("opened", "warning")]
    samples = story.partition.state("acme", "a").samples
    assert samples.keys() == {"own.pulse"}
    assert len(samples["own.pulse"]) <= 9


def test_new_rules_alert_nobody_until_it_gets_worse() -> None:
    """
    What a change of rules finds is muted until it gets worse, also where it waits first.

        hour    0       1                 1 and 3      6
        rules   none    the pulse's
        pulse   30                                     10
        alert                             (muted)      opened, critical
    """
    tiers = PULSE.replace(
        "    when: own.pulse < 50.0\n",
        "    tiers:\n      - {severity: critical, when: own.pulse < 20.0}\n"
        "      - {severity: warning, when: own.pulse < 50.0, for: 2h}\n",
    )
    story = Pulse(PULSE.replace("own.pulse < 50.0", "own.pulse < 0.0"))
    story.say(30)
    story.after(HOUR, models=[change(tiers, story.now)])
    story.after(MINUTE)
    assert story.wait(4 * HOUR) == []
    assert story.alerts == []
    assert story.say(10) == [("opened", "critical")]
    story.after(HOUR, models=[change(None, story.now, name="pulse")])
    story.after(MINUTE)
    assert (story.alerts[-1].change, story.alerts[-1].resolution) == ("resolved", "recovered")


def test_what_opens_after_a_change_of_rules_is_told() -> None:
    story = Pulse(PULSE.replace("own.pulse < 50.0", "own.pulse < 0.0"))
    story.say(80)
    story.after(HOUR, models=[change(PULSE, story.now)])
    story.after(MINUTE)
    assert story.say(30) == [("opened", "warning")]
    story.after(HOUR, models=[change(PULSE.replace("  low:", "  other:"), story.now)])
    story.after(MINUTE)
    ended = story.alerts[-1]
    assert (ended.change, ended.resolution, ended.title) == (
        "resolved", "not_judged", "The rule is no longer in force",
    )  # fmt: skip


def test_tenants_have_their_own_rules() -> None:
    story = Pulse(PULSE.replace("own.pulse < 50.0", "own.pulse < 0.0"))
    story.at(START, models=[change(PULSE, START, tenant="acme")])
    for tenant in ("acme", "globex"):
        story.after(HOUR, story.event(AccountProfile, tenant=tenant, own={"pulse": 80.0}))
        story.after(HOUR, story.event(AccountProfile, tenant=tenant, own={"pulse": 30.0}, at=story.now + 1))
    assert [one.tenant for one in story.alerts] == ["acme"]


def change(text: str | None, at: int, tenant: str = "*", name: str = "") -> ModelChange:
    return ModelChange(
        event_id=f"m{at}{name}", tenant=tenant, account_id="*", source="test", occurred_at=at, received_at=at,
        author="kim", text=text, role="rules", name=name,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "rules: 1", "- a", "ruleset: x\nversion: 1\nrules: {}", "ruleset: [", PULSE[:-30]]
)
def test_what_is_no_rule_file_is_a_fault(text: str) -> None:
    assert check_rules(text).faults


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("voice: {cooldwn: null}", "4:17: rules.voice.cooldwn: no such key; did you mean cooldown?"),
        ("voices: {cooldown: 3d}", "4:9: rules.voices: no rule of the default set to change; did"),
        ("few: {title: Few, when: person.role == 'champion'}", "add `about: person` to an alert rule"),
        ("few: {title: Few, when: health.band < 'watch'}", "words are ordered by their letters"),
        ("few: {title: Few, when: usage.depth < 2.0, opens_if: 'false'}", "opens_if: it never holds"),
        ("few: {title: Few, when: usage.depth < 2.0, at_most: {alerts: 1, in: 0d}}", "alerts in no time"),
        ("few: {title: Few, when: usage.depth < 2.0, action: 'Ask {account.owner}'}", "shows no values"),
        ("few: {title: Few, when: usage.depth < 2.0, shadow: yes}", "neither true nor false"),
    ],
)  # fmt: skip
def test_what_a_change_of_the_default_set_gets_wrong_is_a_fault(rule: str, said: str) -> None:
    text = f"ruleset: x\nversion: 1\nextends: default\nrules: {{{rule}}}\n"
    assert said in "\n".join(map(str, check_rules(text, default_rules_text()).faults))


def test_a_churned_account_ends_what_waits_and_what_is_open() -> None:
    story = Pulse()
    story.say(30)
    gone = [
        story.event(BillingEvent, kind="subscription_started", subscription_id="s"),
        story.event(BillingEvent, kind="subscription_canceled", subscription_id="s", at=story.now + 1),
    ]
    [ended] = story.after(HOUR, *gone)
    assert (ended.change, ended.resolution, ended.title) == ("resolved", "churned", "No customer any more")
    assert story.say(10) == []
