"""The command `bellbuoy rules` at a terminal, the example of docs/rules.md, and what becomes of alerts."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.operations.replay.forecast import fold_forecast
from bellbuoy.operations.rule_outcomes import outcomes_of, responses_of
from processors.fold.models_in_force import Models
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.model import DEFAULT
from processors.rules import check_rules, default_rules_text, load_rules
from processors.rules.format import RuleSpec
from schemas.records import AccountProfile, BillingEvent
from schemas.times import DAY
from tests.support.generators import batch
from tests.support.output_records import alert
from tests.unit.processors.test_rules import PULSE, START

GUIDE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rules", *words])
    return result.exit_code, result.stdout


def test_help_lists_every_command() -> None:
    code, text = run("--help")
    assert code == 0
    for command in ("check", "explain", "schema", "apply", "withdraw", "list", "forecast"):
        assert re.search(rf"(?m)^  {command} ", text), command


def test_check_lists_every_fault_behind_the_file(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(
        "ruleset: a\nversion: 1\nrules:\n  x: {title: t, when: usage.gapp > 1.0}\n  y: {titel: t}"
    )
    code, said = run("check", str(file))
    assert code == 2
    assert f"{file}:4:17: rules.x.when: no such fact or measure: usage.gapp; did you mean usage.gap?" in said
    assert "rules.y.titel: no such key; did you mean title?" in said
    assert said.splitlines()[-1].endswith("faults.")
    code, said = run("check", str(file), "--json")
    assert (code, json.loads(said)["ok"]) == (2, False)


def test_check_and_explain_take_the_default_set_by_its_name() -> None:
    code, said = run("check", "default")
    assert code == 0
    assert re.match(r"default: rules default 4-\w{8}: 21 rules", said)
    code, said = run("explain", "default", "--rule", "quiet")
    assert code == 0
    assert "when usage.silence >= 21.0 && usage.gap >= 6.0" in said
    assert run("explain", "default", "--rule", "nobody")[0] == 2


def test_the_schema_is_printed() -> None:
    code, said = run("schema")
    assert code == 0
    assert json.loads(said)["title"] == "Bellbuoy alert rules"


def test_the_example_of_the_guide_is_right_and_the_guide_names_every_key() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    checked = check_rules(example, default_rules_text())
    assert checked.faults == ()
    assert checked.rules is not None
    assert checked.rules.rules["few_reports"].most == (2, 90 * 86_400_000)
    keys = {field.alias or name for name, field in RuleSpec.model_fields.items()}
    assert [key for key in keys if f"`{key}" not in GUIDE and f"    {key}:" not in GUIDE] == []


def test_outcomes_are_counted_by_rule_from_the_newest_record_of_each_alert() -> None:
    records = [
        alert("a1", 1, rule="quiet"),
        alert("a1", 5, "resolved", rule="quiet", resolution="recovered", feedback="useful"),
        alert("a2", 2, rule="quiet"),
        alert("a2", 6, "resolved", rule="quiet", resolution="dismissed", feedback="noise"),
        alert("a3", 3, rule="quiet"),
        alert("a3", 7, "resolved", rule="quiet", resolution="churned"),
        alert("a4", 4, rule="quiet"),
        alert("a5", 1, rule="other", shadow=True),
    ]
    other, quiet = outcomes_of(records, 0)
    assert (quiet.opened, quiet.still_open, quiet.useful, quiet.noise, quiet.churned) == (4, 1, 1, 1, 1)
    assert quiet.precision == 2 / 3
    assert (other.shadow, other.precision) == (True, None)
    assert outcomes_of(records, 2**60) == []


def test_a_warning_before_a_renewal_was_wrong_unless_somebody_says_otherwise() -> None:
    renewal, year = 100 * DAY, 365 * DAY
    ended = {"rule": "quiet", "resolution": "recovered", "renewal_at": renewal}
    records = [
        alert("a1", 1, "resolved", account_id="renewed", **ended),
        alert("a2", 2, "resolved", account_id="renewed", feedback="useful", **ended),
        alert("a3", 3, "resolved", account_id="renewed", lane="expansion", **ended),
        alert("a4", 4, "resolved", account_id="corrected", **ended),
        alert("a5", 5, "resolved", account_id="unknown", **ended),
    ]
    renewals = {("demo", "renewed"): renewal + year, ("demo", "corrected"): renewal + DAY}

    [quiet] = outcomes_of(records, 0, renewals)
    assert (quiet.opened, quiet.useful, quiet.renewed) == (5, 1, 1)
    assert quiet.precision == 1 / 2


def test_a_forecast_says_what_rules_would_have_opened_and_what_came_true() -> None:
    """
    Two accounts get a low pulse; one of them leaves a month later.

        day     0      1           31           120
        a       well   pulse low   leaves
        b       well   pulse low                still there
    """
    ids = itertools.count()

    def said(account: str, at: int, type_: type = AccountProfile, **fields: Any) -> Any:
        return type_(
            event_id=f"e{next(ids)}", tenant="acme", account_id=account, source="t", occurred_at=at,
            received_at=at, **fields,
        )  # fmt: skip

    days = {
        0: [
            said(one, START, owner=owner, own={"pulse": 80.0}) for one, owner in (("a", "ann"), ("b", "ben"))
        ],
        1: [said(one, START + DAY, own={"pulse": 30.0}) for one in "ab"],
        31: [
            said("a", START + 31 * DAY, BillingEvent, kind="subscription_started", subscription_id="s"),
            said("a", START + 31 * DAY + 1, BillingEvent, kind="subscription_canceled", subscription_id="s"),
        ],
        120: [],
    }
    batches = [(n, batch(n, START + day * DAY + 2, events)) for n, (day, events) in enumerate(days.items())]
    rules = load_rules(PULSE)
    found = fold_forecast(iter(batches), rules, START)
    assert [(one.account_id, one.owner, found.right(one)) for one in found.alerts] == [
        ("a", "ann", True), ("b", "ben", False),
    ]  # fmt: skip
    [row] = found.by_rule()
    assert (row["rule"], row["alerts"], row["right"], row["wrong"]) == ("low", 2, 1, 1)
    assert {(each["owner"], each["busiest_week"]) for each in found.by_owner()} == {("ann", 1), ("ben", 1)}
    assert fold_forecast(iter(batches), rules, START + 2 * DAY).alerts == []
    early = fold_forecast(iter(batches[:2]), rules, START)
    assert [early.right(one) for one in early.alerts] == [None, None]
    lived = FoldedPartition(0, Shared(Models(DEFAULT, rules=rules)))
    published = [alert for outcome in lived.apply(batches) for _, alert in outcome.alerts]
    opened = [(one.account_id, one.opened_at) for one in published if one.change == "opened"]
    assert opened == [(one.account_id, one.opened_at) for one in found.alerts]


def test_how_soon_alerts_are_acknowledged_is_counted_by_owner_and_by_rule() -> None:
    records = [
        alert("a1", 1, owner="Ann", rule="quiet", opened_at=1_000),
        alert("a1", 5, owner="Ann", rule="quiet", opened_at=1_000, acknowledged_at=61_000),
        alert("a2", 2, owner="Ann", rule="quiet", opened_at=1_000, acknowledged_at=21_000),
        alert("a3", 3, owner="Ben", rule="quiet", opened_at=1_000),
        alert("a4", 4, owner="Ben", assignee="Ann", rule="quiet", opened_at=1_000),
        alert("a5", 5, owner="Ben", rule="quiet", opened_at=1_000, shadow=True),
    ]
    ann, ben = responses_of(records, 0)
    assert (ann.owner, ann.opened, ann.acknowledged, ann.to_acknowledge) == ("Ann", 3, 2, 40_000)
    assert (ben.owner, ben.opened, ben.acknowledged, ben.to_acknowledge) == ("Ben", 1, 0, None)
    assert outcomes_of(records, 0)[0].to_acknowledge == 40_000
    assert responses_of(records, 2_000) == []
