"""The command `bellbuoy model` at a terminal, and the examples and tables of docs/model.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.operations.model_files import ModelFileError, load_file
from processors.model import check_model
from processors.model.plan.account_facts import ACCOUNT
from tests.unit.processors.test_model_file import SMALL, TEN

GUIDE = (Path(__file__).parents[3] / "docs" / "model.md").read_text()


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["model", *words])
    return result.exit_code, result.stdout


def test_help_lists_every_command() -> None:
    code, text = run("--help")
    assert code == 0
    for command in ("check", "explain", "diff", "schema", "measures", "apply", "withdraw", "live"):
        assert re.search(rf"(?m)^  {command} ", text), command


def test_check_lists_every_fault_behind_the_file(tmp_path: Path) -> None:
    file = tmp_path / "health.yaml"
    file.write_text(TEN)
    code, said = run("check", str(file))
    assert code == 2
    assert said.splitlines()[-1] == "12 faults."
    assert (
        f"{file}:10:3: measures.usage.dropp: no such measure: usage.dropp; did you mean usage.drop?" in said
    )


def test_check_sees_whether_models_can_stand_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "health.yaml"
    file.write_text(SMALL)
    assert run("check", "default", str(file))[0] == 0
    code, said = run("check", "--together", "default", str(file))
    assert code == 2
    assert "default and small are both for all the rest" in said


def test_explain_tries_a_model_on_an_account() -> None:
    code, said = run(
        "explain", "default", "--fact", "usage.week=-0.625", "--fact", "support.urgent=60", "--json"
    )
    assert code == 0
    found = json.loads(said)
    assert {m["name"]: m["score"] for m in found["measures"]}["usage.week"] == pytest.approx(62.8125)
    assert [cap["name"] for cap in found["caps"]] == ["urgent_ticket"]
    assert "at most 40 while support.urgent is at least 48" in run("explain", "default")[1]


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("usage.dropp=1", "no such measure: usage.dropp; did you mean usage.drop?"),
        ("usage.drop=much", "write NAME=NUMBER"),
        ("usage.drop", "write NAME=VALUE"),
        ("account.seat=5", "no such fact: account.seat; did you mean account.seats?"),
        ("account.seats=ten", "write a whole number, such as account.seats=50"),
        ("account.status=cancelled", "did you mean canceled?"),
    ],
)
def test_explain_refuses_a_fact_that_is_none(fact: str, said: str) -> None:
    result = CliRunner().invoke(app, ["model", "explain", "default", "--fact", fact])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("fact", "condition"),
    [
        ("account.tenant=acme", 'account.tenant == "acme"'),
        ("account.id=a-1", 'account.id == "a-1"'),
        ("account.segment=smb", 'account.segment == "smb"'),
        ("account.stage=onboarding", 'account.stage == "onboarding"'),
        ("account.owner=Ines", 'account.owner == "Ines"'),
        ("account.currency=EUR", 'account.currency == "EUR"'),
        ("account.arr_minor=500", "account.arr_minor == 500"),
        ("account.seats=50", "account.seats == 50"),
        ("account.plan=pro", 'account.plan == "pro"'),
        ("account.status=canceled", 'account.status == "canceled"'),
        ("account.tenure_days=40", "account.tenure_days == 40"),
        ("account.renewal_days=20", "account.renewal_days == 20"),
    ],
)
def test_explain_tries_a_condition_on_every_fact(tmp_path: Path, fact: str, condition: str) -> None:
    file = tmp_path / "health.yaml"
    variant = f"{{priority: 1, when: '{condition}', min_coverage: 0.5}}"
    file.write_text(f"{SMALL}variants: {{special: {variant}}}\n")
    known = json.loads(run("explain", str(file), "--fact", fact, "--json")[1])
    assert (known["variant"], known["doubts"]) == ("special", [])
    other = json.loads(run("explain", str(file), "--fact", "usage.depth=3", "--json")[1])
    assert other["variant"] == ""
    if not fact.startswith(("account.tenant", "account.id")):
        [doubt] = other["doubts"]
        name = fact.partition("=")[0]
        assert doubt == f"variant special: the condition {condition} can't be judged: {name} not known"


def test_explain_names_the_cap_that_can_not_be_judged(tmp_path: Path) -> None:
    file = tmp_path / "health.yaml"
    cap = "{limit: 40, measure: support.urgent, at_least: 48, when: account.seats > 10}"
    file.write_text(f"{SMALL}caps: {{big: {cap}}}\n")
    facts = [f"--fact={name}" for name in ("usage.silence=0", "usage.depth=9", "support.urgent=60")]
    said = " ".join(run("explain", str(file), *facts)[1].split())
    assert (
        "the band is unknown, because a cap can't be judged: Cap big: the condition account.seats > 10"
        in said
    )
    assert "can't be judged: account.seats not known" in said
    assert "because" not in run("explain", str(file), *facts, "--fact=account.seats=50")[1]


def test_diff_names_what_differs(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(SMALL)
    other.write_text(SMALL.replace("weight: 3", "weight: 4"))
    assert "~ share of usage.silence: 75.0 → 80.0" in run("diff", str(one), str(other))[1]
    assert "They are the same model." in run("diff", "default", "default")[1]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"a: 1\n\xff", "health.yaml:2:1: not UTF-8, byte 0xff")]
)
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "health.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelFileError, match=said):
        load_file(str(file))


def test_a_file_that_can_not_be_read_hides_no_fault_of_another(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(SMALL.replace("weight: 3", "weight: x"))
    code, said = run("check", str(tmp_path / "none.yaml"), str(faulty))
    assert code == 2
    assert "none.yaml:1:1: No such file or directory; give the path of a file, or `default`" in said
    assert "'x' is not a number" in said
    assert "2 faults." in said


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "ten", ""])
def test_a_fact_of_a_trial_is_a_number(number: str) -> None:
    result = CliRunner().invoke(app, ["model", "explain", "default", f"--fact=usage.drop={number}"])
    assert result.exit_code == 2
    assert "write NAME=NUMBER, such as usage.drop=0.4" in re.sub(r"\s+", " ", result.output)


def test_the_guides_example_is_a_model_without_warnings() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", GUIDE, flags=re.DOTALL)
    checked = check_model(example)
    assert checked.faults == ()
    assert checked.warnings == ()


def test_the_guide_lists_every_fact() -> None:
    assert re.findall(r"^\| `account\.(\w+)` \|", GUIDE, flags=re.MULTILINE) == list(ACCOUNT)


def test_measures_are_listed_by_a_part_of_their_name() -> None:
    found = json.loads(CliRunner().invoke(app, ["model", "measures", "seats", "--json"]).stdout)

    assert found
    assert all("seats" in measured["name"] and measured["unit"] and measured["needs"] for measured in found)
    assert CliRunner().invoke(app, ["model", "measures", "no such"]).exit_code == 2


def test_an_override_of_an_alias_is_refused() -> None:
    result = CliRunner().invoke(app, ["override", "set", "~user:7", "20", "--reason", "r"])
    assert result.exit_code == 2
    assert "is an alias and has no score" in result.stderr
